//go:build race

package archive

// stride thins the tests that try every step out: the race detector makes SQLite very slow, and they are not about
// races.
const stride = 7
