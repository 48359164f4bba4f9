package mail

import "strings"

// InDomain reports whether a host is that domain, which is in lower case, or below it. The host's case does not matter,
// nor the dot that ends a full name.
func InDomain(host, domain string) bool {
	return strings.HasSuffix("."+strings.ToLower(strings.TrimSuffix(host, ".")), "."+domain)
}
