package config

// A kind is what a value may be.
type kind int

const (
	text   kind = iota + 1 // a string
	file                   // a string that is a path
	list                   // a string, or a list of strings
	amount                 // a string, or a number
	number                 // a whole number
	yes                    // true or false
	table                  // an inline table
)

var kindTexts = map[kind]string{
	text: `a string in quotes`, file: `a path in quotes`, list: `a list of strings, as ["a", "b"]`, amount: `a string in quotes or a number`,
	number: `a whole number`, yes: `true or false`, table: `a table, as { provider = "google", client_id = "..." }`,
}

// A key is what may stand in a table of the file.
type key struct {
	name string
	kind kind
	// brings: it is about what is brought to a destination, and a job without one has no use for it.
	brings bool
	// own: it is not a flag of a job's command, but says what the account or the job is.
	own bool
}

var accountKeys = []key{
	{name: "url", kind: text, own: true},
	{name: "address", kind: text, own: true},
	{name: "password_file", kind: file, own: true},
	{name: "password_command", kind: text, own: true},
	{name: "token_command", kind: text, own: true},
	{name: "oauth", kind: table, own: true},
	{name: "ca", kind: file, own: true}, // parameters of a URL
	{name: "pin", kind: text, own: true},
	{name: "insecure_plaintext", kind: yes, own: true},
	{name: "daily_upload", kind: amount},
	{name: "daily_download", kind: amount},
	{name: "bwlimit", kind: amount},
	{name: "max_rate", kind: amount},
	{name: "max_connections", kind: number},
}

var oauthKeys = []key{
	{name: "provider", kind: text},
	{name: "issuer", kind: text},
	{name: "tenant", kind: text},
	{name: "client_id", kind: text},
	{name: "client_secret", kind: text},
	{name: "scope", kind: text},
	{name: "app_only", kind: yes},
}

var jobKeys = []key{
	{name: "source", kind: text, own: true},
	{name: "archive", kind: file, own: true},
	{name: "destination", kind: text, own: true},
	{name: "schedule", kind: text, own: true},
	{name: "include", kind: list},
	{name: "exclude", kind: list},
	{name: "map", kind: list, brings: true},
	{name: "prefix", kind: text, brings: true},
	{name: "plan", kind: file, brings: true},
	{name: "to", kind: text, brings: true},
	{name: "sent_from", kind: list, brings: true},
	{name: "seen", kind: text, brings: true},
	{name: "merge", kind: text, brings: true},
	{name: "repair", kind: yes, brings: true},
	{name: "include_gone", kind: yes, brings: true},
	{name: "retry_refused", kind: yes, brings: true},
	{name: "accept_refused", kind: yes, brings: true},
	{name: "max_connections", kind: number, brings: true},
	{name: "daily_upload", kind: amount},
	{name: "daily_download", kind: amount},
	{name: "bwlimit", kind: amount},
	{name: "max_rate", kind: amount},
	{name: "report", kind: file},
}

func find(keys []key, name string) (key, bool) {
	for _, k := range keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

func names(keys []key) (all []string) {
	for _, k := range keys {
		all = append(all, k.name)
	}
	return all
}

// Keys returns the keys of a job that stand for flags, without those of what is brought where nothing is.
func (j *Job) Keys() (all []string) {
	for _, k := range jobKeys {
		if !k.own && !(k.brings && j.Destination == "") {
			all = append(all, k.name)
		}
	}
	return all
}
