package config

import (
	"slices"
	"strings"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// Setting is a row of the table of settings. The variables, the flags, the help and the
// documentation are made from that table.
type Setting struct {
	// Name is the name of the variable, without Prefix.
	Name string
	// Default is the text that is read if the setting is not set. If it is "", nothing is
	// read.
	Default string
	// Stated describes the default in words if Default is "".
	Stated string
	// Help says what the setting is for.
	Help string

	demo string // replaces Default for the command demo, if it is not ""
	use  use
	read func(c *Config, text string) error // its error completes "FLOWLATCH_X must …"
}

// use says where a setting may be set.
type use int

const (
	everywhere use = iota
	notInDemo      // the command demo ignores it and has no flag for it
	noFlag         // notInDemo; no command has a flag for it, because it is or leads to a secret
	orFromFile     // noFlag; the variable NAME_FILE may name a file that contains it
)

// Settings returns the table, in the order in which it is documented.
func Settings() []Setting { return slices.Clone(settings) }

// Variable returns the name of the environment variable.
func (s Setting) Variable() string { return Prefix + s.Name }

// FileVariable returns the name of the variable that may name a file with the value. It
// returns "" if there is none.
func (s Setting) FileVariable() string {
	if s.use != orFromFile {
		return ""
	}
	return s.Variable() + "_FILE"
}

// Flag returns the name of the flag, without dashes. It returns "" if there is none.
func (s Setting) Flag() string {
	if s.use == noFlag || s.use == orFromFile {
		return ""
	}
	return s.flag()
}

// flag returns the name that the setting has, or would have, as a flag.
func (s Setting) flag() string { return strings.ToLower(strings.ReplaceAll(s.Name, "_", "-")) }

var settings = []Setting{
	{Name: "ADDR", Default: DefaultAddr, read: address,
		Help: "The address on which HTTP listens. Port 0 picks a free port; the service prints which."},
	{Name: "TLS_CERT_FILE", Stated: "none", read: text(func(c *Config) *string { return &c.TLSCertFile }),
		Help: "File with the certificate chain for HTTPS. It needs TLS_KEY_FILE. If the files change, the new certificate is used within ten seconds."},
	{Name: "TLS_KEY_FILE", Stated: "none", read: text(func(c *Config) *string { return &c.TLSKeyFile }),
		Help: "File with the private key of the certificate."},
	{Name: "DATA_DIR", Default: "./flowlatch-data", use: notInDemo, read: folder,
		Help: "Folder for the SQLite file and the keyset. The commands serve, migrate up, user create and restore create it with mode 0700."},
	{Name: "DATABASE_URL", Stated: "a SQLite file in the data folder", use: orFromFile, read: hidden(func(c *Config) *domain.Secret { return &c.DatabaseURL }),
		Help: "The database: postgres://user:password@host/name, or sqlite:///absolute/path. Name several hosts of Postgres with commas. The file of DATABASE_URL_FILE is read again if no server can be reached or if it rejects the login."},
	{Name: "DATABASE_WAIT", Default: "10s", use: notInDemo, read: duration(0, func(c *Config) *time.Duration { return &c.DatabaseWait }),
		Help: "How long a start waits until the database can be reached."},
	{Name: "DATABASE_TIMEOUT", Default: "5s", use: notInDemo, read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.DatabaseTimeout }),
		Help: "How long one database operation may take."},
	{Name: "DATABASE_MAX_CONNS", Default: "20", use: notInDemo, read: number(1, 10_000, func(c *Config) *int { return &c.DatabaseMaxConns }),
		Help: "How many connections to Postgres this instance opens at most."},
	{Name: "DATABASE_POOLER", Default: "none", use: notInDemo, read: pooler,
		Help: "What a pooler in front of Postgres pools: transaction, such as pgbouncer with pool_mode=transaction. none stands for no pooler and for one that pools sessions."},
	{Name: "KEYSET", Stated: "a file in the data folder, created at the first start", use: noFlag, read: hidden(func(c *Config) *domain.Secret { return &c.Keyset }),
		Help: "The keyset itself, as the command keys new writes it. All instances of one database need the same keyset."},
	{Name: "KEYSET_FILE", Stated: "none", use: noFlag, read: text(func(c *Config) *string { return &c.KeysetFile }),
		Help: "File with the keyset, instead of the variable. It must exist, must not be readable by every user, and nobody else may be able to change it."},
	{Name: "KEYSET_KMS", Stated: "none", use: noFlag, read: text(func(c *Config) *string { return &c.KeysetKMS }),
		Help: "A key in the transit engine of Vault or OpenBao that wraps the keyset: vault-transit://host:port/mount/key. Add ?namespace=… if you use namespaces. Use vault-transit+http://… for an agent on this machine."},
	{Name: "KEYSET_KMS_TOKEN", Stated: "none", use: orFromFile, read: hidden(func(c *Config) *domain.Secret { return &c.KeysetKMSToken }),
		Help: "The token for KEYSET_KMS. Its policy must allow update on mount/encrypt/key and mount/decrypt/key. If it is in a file, the file is read for each use."},
	{Name: "VOICEFLOW_API_URL", Default: "https://api.voiceflow.com", use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowAPIURL }),
		Help: "Base URL of Voiceflow's api service. A database keeps Voiceflow keys of one such service only, so do not change this later."},
	{Name: "VOICEFLOW_RUNTIME_URL", Default: "https://general-runtime.voiceflow.com", use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowRuntimeURL }),
		Help: "Base URL of Voiceflow's general-runtime service."},
	{Name: "VOICEFLOW_ANALYTICS_URL", Default: "https://analytics-api.voiceflow.com", use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowAnalyticsURL }),
		Help: "Base URL of Voiceflow's analytics-api service."},
	{Name: "VOICEFLOW_REALTIME_URL", Default: "https://realtime-api.voiceflow.com", use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowRealtimeURL }),
		Help: "Base URL of Voiceflow's realtime-api service."},
	{Name: "VOICEFLOW_ALLOW_HTTP", Default: "false", use: notInDemo, read: boolean(func(c *Config) *bool { return &c.VoiceflowAllowHTTP }),
		Help: "Whether the base URLs may be plain http to other machines. Voiceflow keys then travel unencrypted."},
	{Name: "VOICEFLOW_TIMEOUT", Default: "20s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.VoiceflowTimeout }),
		Help: "How long one request to Voiceflow may take when a Voiceflow key is checked."},
	{Name: "FORWARD_TIMEOUT", Default: "120s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.ForwardTimeout }),
		Help: "How long a forwarded call may take. For a stream, how long it may take to begin."},
	{Name: "FORWARD_IDLE", Default: "60s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.ForwardIdle }),
		Help: "How long a forwarded stream may be silent."},
	{Name: "FORWARD_MAX_BODY", Default: "25MiB", read: size(func(c *Config) *int64 { return &c.ForwardMaxBody }),
		Help: "The largest request body that is forwarded."},
	{Name: "FORWARD_MAX_ANSWER", Default: "64MiB", read: size(func(c *Config) *int64 { return &c.ForwardMaxAnswer }),
		Help: "The largest answer that is forwarded. Exports may have up to 256 MiB. Streams have no limit."},
	{Name: "FORWARD_RATE", Default: "500", read: number(0, 1_000_000, func(c *Config) *int { return &c.ForwardRate }),
		Help: "How many turns a minute this instance forwards for one user, their access tokens included. Every call that is not a read counts as a turn. A token with a rate of its own has that instead. 0 means no limit."},
	{Name: "FORWARD_READ_RATE", Default: "600", read: number(0, 1_000_000, func(c *Config) *int { return &c.ForwardReadRate }),
		Help: "How many reads a minute this instance forwards for one user, their access tokens included. Reads neither change nor cost anything: GETs, searches, analytics and exports. A token with a rate of its own has that instead. 0 means no limit."},
	{Name: "FORWARD_OPEN", Default: "32", read: number(0, 100_000, func(c *Config) *int { return &c.ForwardOpen }),
		Help: "How many forwarded calls of one user, their access tokens included, this instance has open at once. A token with a limit of its own has that instead. A stream is open until it ends. 0 means no limit."},
	{Name: "MEMORY_BODIES", Default: "128MiB", read: sizeFrom(LeastMemoryBodies, func(c *Config) *int64 { return &c.MemoryBodies }),
		Help: "How much memory this instance uses for bodies and answers at most. Beyond it, requests are answered with 503, those of strangers first."},
	{Name: "AUDIT_READS", Default: "export", read: auditReads,
		Help: "Which forwarded reads leave rows in the audit, as all forwarded calls that write do: export, export,transcripts, or none. A read is not forwarded if its row can't be stored."},
	{Name: "AUDIT_KEEP", Default: "0", use: notInDemo, read: number(0, mostDays, func(c *Config) *int { return &c.AuditKeepDays }),
		Help: "For how many days rows of the audit are kept. Older rows are removed, once a day. 0 keeps them for ever. Set AUDIT_ARCHIVE too, unless the rows are to be lost."},
	{Name: "AUDIT_ARCHIVE", Stated: "none", use: notInDemo, read: auditArchive,
		Help: "An existing folder. Rows of the audit are stored in a file there before they are removed. If the file can't be stored, they are not removed. Without this setting, AUDIT_KEEP removes rows without a copy."},
	{Name: "USAGE_KEEP", Default: "0", use: notInDemo, read: usageKeep,
		Help: "For how many days the counts of usage are kept: at least 31, since those of the current month are needed. 0 keeps them for ever."},
	{Name: "BASE_URL", Stated: "none", read: ownURL,
		Help: "Where browsers find this service, such as https://example.com/flowlatch. Its origin is then the only own one, and its path, which a proxy may remove or keep, is the path of the cookies. Without it, the header Host says what the own origin is."},
	{Name: "CONSOLE", Default: "true", read: boolean(func(c *Config) *bool { return &c.Console }),
		Help: "Whether the service has the console at /console/ and the chat page at /chat. Without it, no set-up link is printed, and the command user create makes the first admin."},
	{Name: "COOKIE_PREFIX", Stated: "none", read: cookiePrefix,
		Help: "The prefix of the names of the cookies: at most 32 of A-Z a-z 0-9 _ -. Set it where two installations share a host name. Earlier cookies stay valid."},
	{Name: "COOKIE_SECURE", Default: "true", demo: "false", read: boolean(func(c *Config) *bool { return &c.CookieSecure }),
		Help: "Whether browsers send the cookies over HTTPS only. Use false for development over plain HTTP."},
	{Name: "COOKIE_SAMESITE", Default: "lax", read: sameSite,
		Help: "SameSite of the cookies: lax, strict, or none for a console on another site."},
	{Name: "TRUSTED_ORIGINS", Stated: "none", read: origins,
		Help: "Other origins whose pages may call, such as https://console.example.com, separated by commas."},
	{Name: "TRUSTED_PROXIES", Stated: "none", read: proxies,
		Help: "Addresses or networks of proxies whose X-Forwarded-For is trusted, such as 10.0.0.0/8, separated by commas. No other header counts. While it is set, idle connections stay open for 16 minutes, not for two."},
	{Name: "SESSION_IDLE", Default: "30m", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Idle }),
		Help: "How long a login or an assistant session lasts without use."},
	{Name: "SESSION_LIFETIME", Default: "12h", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Absolute }),
		Help: "How long a login or an assistant session lasts at most."},
	{Name: "REMEMBER_LIFETIME", Default: "720h", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Remember }),
		Help: "How long a remembered login lasts, used or not."},
	{Name: "LOGIN_FAILURES", Default: "10", read: number(1, 1_000_000, func(c *Config) *int { return &c.LoginFailures }),
		Help: "How many logins a minute may fail for one user name from one address."},
	{Name: "LOGIN_FAILURES_ADDRESS", Default: "100", read: number(1, 1_000_000, func(c *Config) *int { return &c.LoginFailuresAddress }),
		Help: "How many logins a minute may fail from one address."},
	{Name: "LOGIN_RATE", Default: "30", read: number(0, 1_000_000, func(c *Config) *int { return &c.LoginRate }),
		Help: "How many logins a minute may succeed for one user. 0 means no limit."},
	{Name: "WRITE_RATE", Default: "600", read: number(0, 1_000_000, func(c *Config) *int { return &c.WriteRate }),
		Help: "How many changes a minute one user may ask for, with all logins and access tokens together. 0 means no limit. Forwarded calls do not count."},
	{Name: "OIDC_ISSUER", Stated: "none", use: notInDemo, read: issuer,
		Help: "The issuer of the company's OpenID Connect provider, exactly as its discovery document has it, such as https://login.example.com/realms/company. People then log in with it. It needs OIDC_CLIENT_ID and BASE_URL; register BASE_URL/oidc/callback as the redirect URI there."},
	{Name: "OIDC_CLIENT_ID", Stated: "none", use: notInDemo, read: text(func(c *Config) *string { return &c.OIDC.ClientID }),
		Help: "The id that the identity provider gave to this service."},
	{Name: "OIDC_CLIENT_SECRET", Stated: "none", use: orFromFile, read: hidden(func(c *Config) *domain.Secret { return &c.OIDC.ClientSecret }),
		Help: "The secret that the identity provider gave to this service. Leave it out for a public client."},
	{Name: "OIDC_SCOPES", Default: "openid profile email", use: notInDemo, read: scopes,
		Help: "The scopes that are asked for, separated by spaces. openid is one of them. Some providers need groups for the groups, or offline_access for a refresh token."},
	{Name: "OIDC_LABEL", Stated: "the host name of the issuer", use: notInDemo, read: label,
		Help: "What the button of the login calls the identity provider."},
	{Name: "OIDC_GROUPS_CLAIM", Default: "groups", use: notInDemo, read: claim,
		Help: "The claim that lists the groups of a person: its name, or a JSON pointer such as /realm_access/roles."},
	{Name: "OIDC_REQUIRED_GROUPS", Stated: "none", use: notInDemo, read: groups(func(c *Config) *[]string { return &c.OIDC.RequiredGroups }),
		Help: "Groups, separated by commas. If it is set, only members of one of them can log in with the identity provider."},
	{Name: "OIDC_ADMIN_GROUPS", Stated: "none", use: notInDemo, read: groups(func(c *Config) *[]string { return &c.OIDC.AdminGroups }),
		Help: "Groups whose members are admins, separated by commas. A group with a comma in its name needs a rule, see the route set_group_rule."},
	{Name: "OIDC_CREATE_USERS", Default: "true", use: notInDemo, read: boolean(func(c *Config) *bool { return &c.OIDC.CreateUsers }),
		Help: "Whether the first login of a person creates a user. Otherwise an admin links users beforehand, or users link themselves on the page of their account."},
	{Name: "OIDC_LOGOUT", Default: "provider", use: notInDemo, read: logout,
		Help: "What a logout ends: provider ends the session at the identity provider too, here does not."},
	{Name: "OIDC_RECHECK", Default: "15m", use: notInDemo, read: duration(time.Second, func(c *Config) *time.Duration { return &c.OIDC.Recheck }),
		Help: "How often the identity provider is asked again about the user of a login, if it gives refresh tokens. A refusal ends the login, and changed groups take effect."},
	{Name: "PASSWORD_LOGIN", Default: "all", use: notInDemo, read: passwordLogin,
		Help: "Who can log in with a password: all, admins, or off for nobody. off needs an enabled admin who has logged in with the identity provider before. The command login-link lets a user in even then."},
	{Name: "WEBHOOK_ALLOW_PRIVATE", Default: "false", read: boolean(func(c *Config) *bool { return &c.WebhookAllowPrivate }),
		Help: "Whether events may be sent to webhooks at private, loopback and other addresses that are not public. They are sent over HTTPS in any case. With it, an admin can reach services of the internal network by way of this one."},
	{Name: "SHUTDOWN_TIMEOUT", Default: "9s", read: duration(0, func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
		Help: "How long open requests may take to end after SIGTERM or SIGINT."},
	{Name: "LOG_LEVEL", Default: "info", demo: "error", read: logLevel,
		Help: "The lowest level that is logged: debug, info, warn or error. The log is JSON lines on standard error."},
}
