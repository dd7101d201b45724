// Package config reads the settings of the program from environment variables and flags.
// One table, Settings, lists them.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// Prefix begins the name of every environment variable that is read.
const Prefix = "FLOWLATCH_"

// DefaultAddr is where HTTP listens if ADDR is not set.
const DefaultAddr = "127.0.0.1:8080"

// Config holds the value of every setting. Settings describes each of them.
type Config struct {
	Addr        string
	TLSCertFile string
	TLSKeyFile  string

	DataDir          string        // an absolute path
	DatabaseURL      domain.Secret // zero: a SQLite file in the data folder
	DatabasePooled   bool          // a pooler in front of the database pools transactions
	DatabaseWait     time.Duration
	DatabaseTimeout  time.Duration
	DatabaseMaxConns int
	Keyset           domain.Secret // zero: KeysetFile
	KeysetFile       string        // "" with a zero Keyset: a file in the data folder
	KeysetKMS        string        // "": the keyset is not wrapped
	KeysetKMSToken   domain.Secret // zero if KeysetKMS is ""

	VoiceflowAPIURL       string
	VoiceflowRuntimeURL   string
	VoiceflowAnalyticsURL string
	VoiceflowRealtimeURL  string
	VoiceflowAllowHTTP    bool
	VoiceflowTimeout      time.Duration

	ForwardTimeout   time.Duration
	ForwardIdle      time.Duration
	ForwardMaxBody   int64
	ForwardMaxAnswer int64
	ForwardRate      int // of turns; 0: no limit
	ForwardReadRate  int // 0: no limit
	ForwardOpen      int // 0: no limit
	MemoryBodies     int64
	AuditReads       domain.AuditReads
	AuditKeepDays    int    // 0: for ever
	AuditArchive     string // a folder; "" if there is none
	UsageKeepDays    int    // 0: for ever

	BaseURL              domain.BaseURL // zero if it is not set
	Console              bool
	WebhookAllowPrivate  bool
	CookiePrefix         string
	CookieSecure         bool
	CookieSameSite       http.SameSite
	TrustedOrigins       []string
	TrustedProxies       []string
	Lifetimes            domain.Lifetimes
	LoginFailures        int
	LoginFailuresAddress int
	LoginRate            int
	WriteRate            int

	OIDC          OIDC // without an Issuer if there is no identity provider
	PasswordLogin domain.PasswordLogin

	ShutdownTimeout time.Duration
	LogLevel        slog.Level

	// SecretFiles holds the file of each secret that was read from one and can be read again, by
	// the name of its setting. A pipe can't.
	SecretFiles map[string]string
}

// OIDC holds the settings of the company's identity provider.
type OIDC struct {
	Issuer           string // as it was set; "" if there is no identity provider
	ClientID         string
	ClientSecret     domain.Secret // zero for a public client
	Scopes           []string
	Label            string // "": the host name of the issuer
	GroupsClaim      string
	RequiredGroups   []string
	AdminGroups      []string
	CreateUsers      bool
	LogoutAtProvider bool
	Recheck          time.Duration
}

// Source is where Read finds the settings.
type Source struct {
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Flags holds the flags that were given, by the name of the setting. A flag wins over
	// the environment.
	Flags map[string]string
	// Demo reads the settings of the command demo: it has defaults of its own and ignores
	// the settings that lead to real data.
	Demo bool
	// CheckKMS says why a KEYSET_KMS can't be used. If it is nil, KEYSET_KMS is not checked.
	// Its error does not repeat the URL.
	CheckKMS func(url string) error
}

// Read reads the settings. An empty variable counts as not set. Each warning is a sentence
// about a variable that no setting reads. The error is a sentence that names the variable
// or the flag. It never repeats the value.
func Read(from Source) (c Config, warnings []string, err error) {
	given := map[string]string{}
	for _, line := range from.Environ {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, Prefix) && value != "" {
			given[strings.TrimPrefix(name, Prefix)] = value
		}
	}
	warnings = unknown(given)
	for _, s := range settings {
		flags, variables := from.Flags, given
		if from.Demo && s.use != everywhere {
			flags, variables = nil, nil
		}
		if err := s.readFrom(&c, from.Demo, flags, variables); err != nil {
			return Config{}, warnings, err
		}
	}
	if c.KeysetKMS != "" && from.CheckKMS != nil {
		if err := from.CheckKMS(c.KeysetKMS); err != nil {
			return Config{}, warnings, fmt.Errorf("%sKEYSET_KMS must name a key that can wrap a keyset: %w", Prefix, err)
		}
	}
	if err := c.check(); err != nil {
		return c, warnings, err
	}
	if from.Demo {
		return c, warnings, nil
	}
	return c, warnings, c.checkOIDC(given, from.Flags)
}

// readFrom reads one setting. The flag comes first, then the variable, the file and the
// default.
func (s Setting) readFrom(c *Config, demo bool, flags, given map[string]string) error {
	name, value := s.Variable(), s.defaultFor(demo)
	set := value != ""
	if env, ok := given[s.Name]; ok {
		value, set = env, true
		if _, both := given[s.Name+"_FILE"]; both && s.use == orFromFile {
			return bothSet(s.Name)
		}
	} else if file, ok := given[s.Name+"_FILE"]; ok && s.use == orFromFile {
		content, err := ReadSecret(file)
		if err != nil {
			return fmt.Errorf("%s_FILE names a file that can't be read: %w", name, err)
		}
		value, set = content.Reveal(), true
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() { // a pipe is read once
			if c.SecretFiles == nil {
				c.SecretFiles = map[string]string{}
			}
			c.SecretFiles[s.Name] = file
		}
	}
	if flag, ok := flags[s.Name]; ok {
		name, value, set = "--"+s.flag(), flag, true
	}
	if !set {
		return nil
	}
	if err := s.read(c, strings.TrimSpace(value)); err != nil {
		return fmt.Errorf("%s must %w", name, err)
	}
	return nil
}

// ReadSecret reads the file of a secret, without space at its ends. A byte order mark, which also
// says whether the text is UTF-16, is dropped. The error does not contain the path, which may be a
// secret that was put into the wrong variable.
func ReadSecret(file string) (domain.Secret, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return domain.Secret{}, withoutPath(err)
	}
	if content, _, err = transform.Bytes(unicode.BOMOverride(transform.Nop), content); err != nil {
		return domain.Secret{}, errors.New("it is neither UTF-8 nor UTF-16")
	}
	return domain.NewSecret(strings.TrimSpace(string(content))), nil
}

// defaultFor returns the default of the command demo, or of all other commands.
func (s Setting) defaultFor(demo bool) string {
	if demo && s.demo != "" {
		return s.demo
	}
	return s.Default
}

func bothSet(name string) error {
	return fmt.Errorf("%s%s and %s%s_FILE are both set; leave one out", Prefix, name, Prefix, name)
}

// withoutPath removes the path from an error of package os. The path may be a secret that
// was put into the wrong variable.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// clientToken is the variable in which docs/clients.md has an access token. Clients read it, and
// whoever tries one may use this program in the same shell.
const clientToken = "TOKEN"

// unknown returns a warning for each variable that no setting reads. It names the nearest
// variable that a setting reads. They are not errors, because orchestrators set variables
// of their own.
func unknown(given map[string]string) []string {
	var names []string
	for _, s := range settings {
		names = append(names, s.Name)
		if s.use == orFromFile {
			names = append(names, s.Name+"_FILE")
		}
	}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name == clientToken || slices.Contains(names, name) {
			continue
		}
		nearest := slices.MinFunc(names, func(a, b string) int {
			return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
		})
		warnings = append(warnings, fmt.Sprintf("the variable %s is not known and not read; the nearest known is %s",
			terminal.Visible(Prefix+name), Prefix+nearest))
	}
	return warnings
}

// check reports settings that contradict each other.
func (c Config) check() error {
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New(Prefix + "TLS_CERT_FILE and " + Prefix + "TLS_KEY_FILE are set together or not at all")
	}
	if !c.Keyset.IsZero() && c.KeysetFile != "" {
		return bothSet("KEYSET")
	}
	if (c.KeysetKMS == "") != c.KeysetKMSToken.IsZero() {
		return errors.New(Prefix + "KEYSET_KMS and " + Prefix + "KEYSET_KMS_TOKEN are set together or not at all")
	}
	if c.CookieSameSite == http.SameSiteNoneMode && !c.CookieSecure {
		return errors.New(Prefix + "COOKIE_SAMESITE can't be none while " + Prefix + "COOKIE_SECURE is false: browsers refuse such cookies")
	}
	if c.AuditArchive != "" && c.AuditKeepDays == 0 {
		return errors.New(Prefix + "AUDIT_ARCHIVE needs " + Prefix + "AUDIT_KEEP: without it no row of the audit is removed")
	}
	return c.checkHTTP()
}

// checkOIDC reports settings of the identity provider that contradict each other. given and flags are
// what was set.
func (c Config) checkOIDC(given, flags map[string]string) error {
	if c.OIDC.Issuer == "" {
		return c.checkNoOIDC(given, flags)
	}
	const name = Prefix + "OIDC_ISSUER"
	switch {
	case c.OIDC.ClientID == "":
		return errors.New(name + " needs " + Prefix + "OIDC_CLIENT_ID, the id that the identity provider gave to this service")
	case c.BaseURL == (domain.BaseURL{}):
		return errors.New(name + " needs " + Prefix + "BASE_URL, to which the identity provider sends browsers back")
	case !c.Console:
		return errors.New(name + " needs the pages of the console, which " + Prefix + "CONSOLE=false turns off")
	case !c.BaseURL.HTTPS() && !IsLoopback(c.BaseURL.Host()):
		return errors.New(Prefix + "BASE_URL is plain http, so the codes of logins would travel unencrypted; use https with " + name)
	}
	if u, err := url.Parse(c.OIDC.Issuer); err != nil || u.Scheme != "https" && !IsLoopback(u.Hostname()) {
		return errors.New(name + " is plain http, so tokens would leave this machine unencrypted; use https")
	}
	return nil
}

// checkNoOIDC refuses settings that need an identity provider if there is none.
func (c Config) checkNoOIDC(given, flags map[string]string) error {
	for _, s := range settings {
		_, variable := given[s.Name]
		_, file := given[s.Name+"_FILE"]
		_, flag := flags[s.Name]
		if strings.HasPrefix(s.Name, "OIDC_") && (variable || flag || file && s.use == orFromFile) {
			return errors.New(s.Variable() + " needs " + Prefix + "OIDC_ISSUER, the address of the identity provider")
		}
	}
	if c.PasswordLogin != domain.PasswordLoginAll {
		return errors.New(Prefix + "PASSWORD_LOGIN can be " + string(c.PasswordLogin) + " only with an identity provider; set " + Prefix + "OIDC_ISSUER")
	}
	return nil
}

// checkHTTP refuses base URLs with plain http beyond this machine, unless they are allowed.
func (c Config) checkHTTP() error {
	if c.VoiceflowAllowHTTP {
		return nil
	}
	for _, service := range []struct{ name, base string }{
		{"VOICEFLOW_API_URL", c.VoiceflowAPIURL},
		{"VOICEFLOW_RUNTIME_URL", c.VoiceflowRuntimeURL},
		{"VOICEFLOW_ANALYTICS_URL", c.VoiceflowAnalyticsURL},
		{"VOICEFLOW_REALTIME_URL", c.VoiceflowRealtimeURL},
	} {
		if u, err := url.Parse(service.base); err != nil || u.Scheme == "http" && !IsLoopback(u.Hostname()) {
			return fmt.Errorf("%s%s is plain http, so keys would leave this machine unencrypted; use https, or set %sVOICEFLOW_ALLOW_HTTP=true",
				Prefix, service.name, Prefix)
		}
	}
	return nil
}

// IsLoopback reports whether host is this machine and nothing else.
func IsLoopback(host string) bool {
	return domain.IsLoopback(host)
}

// OwnDatabase reports whether the database is the SQLite file in the data folder.
func (c Config) OwnDatabase() bool { return c.DatabaseURL.IsZero() }

// OwnKeyset reports whether the keyset is the file in the data folder.
func (c Config) OwnKeyset() bool { return c.Keyset.IsZero() && c.KeysetFile == "" }

// Database returns the URL of the database.
func (c Config) Database() domain.Secret {
	if !c.OwnDatabase() {
		return c.DatabaseURL
	}
	file := url.URL{Scheme: "sqlite", Path: filepath.Join(c.DataDir, "flowlatch.db")}
	return domain.NewSecret(file.String())
}

// KeysetPath returns the file that contains the keyset. It is meaningless if Keyset is set.
func (c Config) KeysetPath() string {
	if c.OwnKeyset() {
		return filepath.Join(c.DataDir, "keyset.json")
	}
	return c.KeysetFile
}

// TLS reports whether HTTP is served over TLS.
func (c Config) TLS() bool { return c.TLSCertFile != "" }
