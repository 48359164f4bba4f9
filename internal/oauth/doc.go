// Package oauth signs in at providers that have tokens instead of passwords (OAuth 2.0, RFC 6749), and has a token ready
// whenever a login wants one.
//
// A Client is what somebody has registered with a provider. A person signs in once, with a browser (SignIn) or with a
// code typed on another device (Device); the Grant that comes of it is kept by others, and a Source makes tokens of it
// for as long as the provider agrees.
//
// The codes, tokens and secrets that go through here are part of no error.
package oauth
