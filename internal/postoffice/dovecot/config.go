package dovecot

import (
	"bytes"
	"cmp"
	"os"
	"os/user"
	"strconv"
	"strings"
	"text/template"
)

// An owner is whom the users' mail belongs to, and whom Dovecot's helpers run as. It refuses to serve root's
// mail, so root borrows a system user.
type owner struct {
	Root        bool
	User, Group string
	uid, gid    int
}

func mailOwner() (owner, error) {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return owner{}, err
		}
		return newOwner(u, false)
	}
	u, err := user.Lookup("mail")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return owner{}, err
	}
	return newOwner(u, true)
}

func newOwner(u *user.User, root bool) (owner, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return owner{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return owner{}, err
	}
	group, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return owner{}, err
	}
	return owner{Root: root, User: u.Username, Group: group.Name, uid: uid, gid: gid}, nil
}

// own gives the file to o; a plain user's files are his already.
func (o owner) own(path string) error {
	if !o.Root {
		return nil
	}
	return os.Lchown(path, o.uid, o.gid)
}

func (s *Server) config(version string, o Options) []byte {
	text, reuse := common+config23, "service_count = 0"
	if !strings.HasPrefix(version, "2.3.") {
		text, reuse = config24+common, "restart_request_count = unlimited"
	}
	separator := "/"
	if o.Prefix != "" {
		separator = o.Prefix[len(o.Prefix)-1:]
	}
	var b bytes.Buffer
	err := template.Must(template.New("dovecot.conf").Parse(text)).Execute(&b, map[string]any{
		"Dir": s.dir, "Host": Host, "Password": Password, "Greeting": s.greeting(), "Owner": s.owner, "Quota": o.Quota, "Tokens": o.Tokens, "Rights": o.Rights, "Master": MasterPassword,
		"Prefix": o.Prefix, "Separator": separator, "Store": cmp.Or(o.Store, "maildir"), "TLSRequired": o.TLSRequired,
		"POP3": s.POP3, "POP3S": s.POP3S, "IMAP": s.IMAP, "IMAPS": s.IMAPS,
		"Reuse": reuse,
	})
	if err != nil {
		panic(err) // the template and its data stand in this file
	}
	return b.Bytes()
}

// A test that logs in wrongly should not wait for it, hence the two settings about failures.
const common = `
base_dir = {{.Dir}}/run
state_dir = {{.Dir}}/run
log_path = {{.Dir}}/dovecot.log
listen = {{.Host}}
login_greeting = {{.Greeting}}
{{with .Owner}}
default_login_user = {{if .Root}}dovenull{{else}}{{.User}}{{end}}
default_internal_user = {{if .Root}}dovecot{{else}}{{.User}}{{end}}
default_internal_group = {{if .Root}}dovecot{{else}}{{.Group}}{{end}}
{{end}}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 100
auth_mechanisms = plain login{{if .Tokens}} cram-md5 xoauth2 oauthbearer{{end}}
auth_failure_delay = 0
ssl = {{if .TLSRequired}}required{{else}}yes{{end}}
namespace inbox {
  inbox = yes
  prefix = {{.Prefix}}
  separator = {{.Separator}}
  mailbox Archive {
    special_use = \Archive
  }
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox Junk {
    special_use = \Junk
  }
  mailbox Sent {
    special_use = \Sent
  }
  mailbox Trash {
    special_use = \Trash
  }
}
service imap-login {
  {{.Reuse}}
  {{if not .Owner.Root}}chroot ={{end}}
  inet_listener imap {
    port = {{.IMAP}}
  }
  inet_listener imaps {
    port = {{.IMAPS}}
    ssl = yes
  }
}
service pop3-login {
  {{.Reuse}}
  {{if not .Owner.Root}}chroot ={{end}}
  inet_listener pop3 {
    port = {{.POP3}}
  }
  inet_listener pop3s {
    port = {{.POP3S}}
    ssl = yes
  }
}
service imap {
  vsz_limit = 2G
}
service pop3 {
  vsz_limit = 2G
}
service anvil {
  {{if not .Owner.Root}}chroot ={{end}}
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`

const config23 = `
protocols = imap pop3
mail_location = {{.Store}}:{{.Dir}}/mail/%u
disable_plaintext_auth = {{if .TLSRequired}}yes{{else}}no{{end}}
auth_username_format = %u
ssl_cert = <{{.Dir}}/cert.pem
ssl_key = <{{.Dir}}/key.pem
{{if .Tokens}}
auth_master_user_separator = *
passdb {
  driver = static
  master = yes
  args = password={{.Master}}
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {{.Dir}}/oauth2.conf
}
{{end}}
passdb {
  driver = static
  {{if .Tokens}}mechanisms = plain login cram-md5{{end}}
  args = password={{.Password}}
}
userdb {
  driver = static
  args = uid={{.Owner.User}} gid={{.Owner.Group}} home={{.Dir}}/mail/%u allow_all_users=yes
}
{{if .Rights}}
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile:{{.Dir}}/acl
}
{{end}}
{{if .Quota}}
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:bytes={{.Quota}}
  quota_grace = 0
}
{{end}}
`

const config24 = `
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap pop3
mail_driver = {{.Store}}
mail_path = {{.Dir}}/mail/%{user}
mail_home = {{.Dir}}/mail/%{user}
mail_uid = {{.Owner.User}}
mail_gid = {{.Owner.Group}}
auth_allow_cleartext = {{if .TLSRequired}}no{{else}}yes{{end}}
auth_username_format = %{user}
ssl_server_cert_file = {{.Dir}}/cert.pem
ssl_server_key_file = {{.Dir}}/key.pem
passdb static {
  password = {{.Password}}
}
userdb static {
  allow_all_users = yes
}
{{if .Quota}}
mail_plugins {
  quota = yes
}
protocol imap {
  mail_plugins {
    imap_quota = yes
  }
}
quota "User quota" {
  storage_size = {{.Quota}}B
  storage_grace = 0
}
{{end}}
`
