package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"github.com/flowlatch/flowlatch/adapters/vaulttransit"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
)

// prefix begins the name of every environment variable that is read.
const prefix = "FLOWLATCH_"

const defaultAddr = "127.0.0.1:8080"

// Config is everything that can be set. It is read once, by readConfig; what each
// field means is said in the table of settings.
type Config struct {
	Addr        string
	TLSCertFile string
	TLSKeyFile  string

	DataDir          string
	DatabaseURL      domain.Secret // zero: a SQLite file in the data folder
	DatabaseWait     time.Duration
	DatabaseTimeout  time.Duration
	DatabaseMaxConns int
	Keyset           domain.Secret // zero: KeysetFile
	KeysetFile       string        // "" with a zero Keyset: a file in the data folder
	KeysetKMS        string        // "": the keyset is in clear
	KeysetKMSToken   domain.Secret // zero where KeysetKMS is ""

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
	ForwardRate      int

	CookieSecure         bool
	CookieSameSite       http.SameSite
	TrustedOrigins       []string
	TrustedProxies       []string
	Lifetimes            domain.Lifetimes
	LoginFailures        int
	LoginFailuresAddress int

	ShutdownTimeout time.Duration
	LogLevel        slog.Level
}

// setting is a row of the table from which environment, flags, help and the README's
// table come.
type setting struct {
	name     string // of the variable, without the prefix
	fallback string // what is read where nothing is set; "" is not read
	stated   string // what the fallback is in words, where it is no text
	help     string
	use      setUse
	read     func(c *Config, text string) error // its error completes "FLOWLATCH_X must …"
}

// setUse says by which ways a setting comes.
type setUse int

const (
	everywhere  setUse = iota
	notInDemo          // demo neither reads it nor has its flag
	withoutFlag        // notInDemo, and there is no flag: it is a secret, or where one is
	orFromFile         // withoutFlag, and the file that NAME_FILE names may hold it
)

// settings is the table. Its order is the order in help and README.
var settings = []setting{
	{name: "ADDR", fallback: defaultAddr, read: address,
		help: "Where HTTP listens. Port 0 picks a free port, and the line that is printed says which."},
	{name: "TLS_CERT_FILE", stated: "none", read: text(func(c *Config) *string { return &c.TLSCertFile }),
		help: "File with the certificate, and what chains it, for HTTPS. It needs the key file."},
	{name: "TLS_KEY_FILE", stated: "none", read: text(func(c *Config) *string { return &c.TLSKeyFile }),
		help: "File with the key of the certificate."},
	{name: "DATA_DIR", fallback: "./flowlatch-data", use: notInDemo, read: folder,
		help: "Folder for the SQLite file and the keyset. The commands serve, migrate up, user create and restore make it, with mode 0700."},
	{name: "DATABASE_URL", stated: "a SQLite file in the data folder", use: orFromFile, read: hidden(func(c *Config) *domain.Secret { return &c.DatabaseURL }),
		help: "The database: postgres://user:password@host/name, or sqlite:///absolute/path."},
	{name: "DATABASE_WAIT", fallback: "10s", use: notInDemo, read: duration(0, func(c *Config) *time.Duration { return &c.DatabaseWait }),
		help: "How long the start waits for a database that can't be reached yet."},
	{name: "DATABASE_TIMEOUT", fallback: "5s", use: notInDemo, read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.DatabaseTimeout }),
		help: "How long one use of the database may take."},
	{name: "DATABASE_MAX_CONNS", fallback: "20", use: notInDemo, read: number(1, 10_000, func(c *Config) *int { return &c.DatabaseMaxConns }),
		help: "How many connections to Postgres this instance opens at most."},
	{name: "KEYSET", stated: "a file in the data folder, made at the first start", use: withoutFlag, read: hidden(func(c *Config) *domain.Secret { return &c.Keyset }),
		help: "The keyset itself, as keys new writes it. Instances over one database share one."},
	{name: "KEYSET_FILE", stated: "none", use: withoutFlag, read: text(func(c *Config) *string { return &c.KeysetFile }),
		help: "File with the keyset, in place of the variable. It must exist, and not be readable by everyone."},
	{name: "KEYSET_KMS", stated: "none", use: withoutFlag, read: kms,
		help: "A key outside of this machine that wraps the keyset, in the transit engine of Vault or OpenBao: vault-transit://host:port/mount/key, with ?namespace=… where there are any; vault-transit+http://… for an agent on this machine."},
	{name: "KEYSET_KMS_TOKEN", stated: "none", use: orFromFile, read: hidden(func(c *Config) *domain.Secret { return &c.KeysetKMSToken }),
		help: "The token for it, which may update mount/encrypt/key and mount/decrypt/key."},
	{name: "VOICEFLOW_API_URL", fallback: voiceflow.DefaultBaseURL, use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowAPIURL }),
		help: "Base URL of Voiceflow's api service. The keys in a database belong to one such service for good."},
	{name: "VOICEFLOW_RUNTIME_URL", fallback: voiceflow.DefaultRuntimeURL, use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowRuntimeURL }),
		help: "Base URL of Voiceflow's general-runtime service."},
	{name: "VOICEFLOW_ANALYTICS_URL", fallback: voiceflow.DefaultAnalyticsURL, use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowAnalyticsURL }),
		help: "Base URL of Voiceflow's analytics-api service."},
	{name: "VOICEFLOW_REALTIME_URL", fallback: voiceflow.DefaultRealtimeURL, use: notInDemo, read: baseURL(func(c *Config) *string { return &c.VoiceflowRealtimeURL }),
		help: "Base URL of Voiceflow's realtime-api service."},
	{name: "VOICEFLOW_ALLOW_HTTP", fallback: "false", use: notInDemo, read: boolean(func(c *Config) *bool { return &c.VoiceflowAllowHTTP }),
		help: "Whether the base URLs may be plain http beyond this machine. Keys then travel in clear."},
	{name: "VOICEFLOW_TIMEOUT", fallback: "20s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.VoiceflowTimeout }),
		help: "How long one exchange with Voiceflow may take, when an assistant is added."},
	{name: "FORWARD_TIMEOUT", fallback: "120s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.ForwardTimeout }),
		help: "How long a call that is forwarded may take; a stream, until it begins."},
	{name: "FORWARD_IDLE", fallback: "60s", read: duration(time.Millisecond, func(c *Config) *time.Duration { return &c.ForwardIdle }),
		help: "How long a stream that is forwarded lasts without anything coming."},
	{name: "FORWARD_MAX_BODY", fallback: "25MiB", read: size(func(c *Config) *int64 { return &c.ForwardMaxBody }),
		help: "The largest body that is forwarded."},
	{name: "FORWARD_MAX_ANSWER", fallback: "64MiB", read: size(func(c *Config) *int64 { return &c.ForwardMaxAnswer }),
		help: "The largest answer that is passed on. Exports may have 256 MiB, and streams have no such limit."},
	{name: "FORWARD_RATE", fallback: "120", read: number(0, 1_000_000, func(c *Config) *int { return &c.ForwardRate }),
		help: "How many calls a minute are forwarded for one user or access token, by this instance; 0 is no limit."},
	{name: "COOKIE_SECURE", fallback: "true", read: boolean(func(c *Config) *bool { return &c.CookieSecure }),
		help: "Whether browsers send the cookies over HTTPS only. Use false for development over plain HTTP."},
	{name: "COOKIE_SAMESITE", fallback: "lax", read: sameSite,
		help: "SameSite of the cookies: lax, strict, or none for a console on another site."},
	{name: "TRUSTED_ORIGINS", stated: "none", read: origins,
		help: "Other origins whose pages may call, such as https://console.example.com, with commas between."},
	{name: "TRUSTED_PROXIES", stated: "none", read: proxies,
		help: "Addresses or networks of proxies whose X-Forwarded-For counts, such as 10.0.0.0/8, with commas between."},
	{name: "SESSION_IDLE", fallback: "30m", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Idle }),
		help: "How long a session lasts without use."},
	{name: "SESSION_LIFETIME", fallback: "12h", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Absolute }),
		help: "How long a session lasts at most."},
	{name: "REMEMBER_LIFETIME", fallback: "720h", read: duration(time.Second, func(c *Config) *time.Duration { return &c.Lifetimes.Remember }),
		help: "How long a remembered login lasts, used or not."},
	{name: "LOGIN_FAILURES", fallback: "10", read: number(1, 1_000_000, func(c *Config) *int { return &c.LoginFailures }),
		help: "How many logins a minute may fail for one user name from one address."},
	{name: "LOGIN_FAILURES_ADDRESS", fallback: "100", read: number(1, 1_000_000, func(c *Config) *int { return &c.LoginFailuresAddress }),
		help: "How many logins a minute may fail from one address."},
	{name: "SHUTDOWN_TIMEOUT", fallback: "9s", read: duration(0, func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
		help: "How long open requests have to end after SIGTERM or SIGINT."},
	{name: "LOG_LEVEL", fallback: "info", read: logLevel,
		help: "What is logged, as JSON lines on standard error: debug, info, warn or error, and what is graver."},
}

// source is where the texts of settings come from.
type source struct {
	environ []string          // as os.Environ gives it
	flags   map[string]string // by the name of the setting; a flag wins over the environment
	demo    map[string]string // demo's own fallbacks; nil for all other commands
}

// readConfig reads the settings. An empty variable counts as unset. Warnings are
// sentences about variables that nobody reads. The error is a sentence that names the
// variable or flag, and never what it holds.
func readConfig(from source) (c Config, warnings []string, err error) {
	given := map[string]string{}
	for _, line := range from.environ {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, prefix) && value != "" {
			given[strings.TrimPrefix(name, prefix)] = value
		}
	}
	warnings = unknown(given)
	for _, s := range settings {
		here, set := from, given
		if from.demo != nil && s.use != everywhere {
			here, set = source{}, nil
		}
		if err := s.readFrom(&c, here, set); err != nil {
			return Config{}, warnings, err
		}
	}
	return c, warnings, c.check()
}

// readFrom reads one setting from the first of flag, variable, file and fallback that
// is there.
func (s setting) readFrom(c *Config, from source, given map[string]string) error {
	name, value, set := prefix+s.name, s.fallback, s.fallback != ""
	if own, ok := from.demo[s.name]; ok {
		value, set = own, true
	}
	if env, ok := given[s.name]; ok {
		value, set = env, true
		if _, both := given[s.name+"_FILE"]; both && s.use == orFromFile {
			return bothSet(s.name)
		}
	} else if file, ok := given[s.name+"_FILE"]; ok && s.use == orFromFile {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%s_FILE names a file that can't be read: %w", name, withoutPath(err))
		}
		value, set = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), true
	}
	if flag, ok := from.flags[s.name]; ok {
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

func bothSet(name string) error {
	return fmt.Errorf("%s%s and %s%s_FILE are both set; leave one out", prefix, name, prefix, name)
}

// secret says whether the setting is, or leads to, what must not show.
func (s setting) secret() bool { return s.use == withoutFlag || s.use == orFromFile }

// flag is the name of the setting's flag, without dashes before it.
func (s setting) flag() string { return strings.ToLower(strings.ReplaceAll(s.name, "_", "-")) }

// withoutPath leaves what went wrong of an error of package os: a path may be a
// secret that was put into the wrong variable.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// unknown are warnings about variables that no setting has, with the nearest that one
// has: orchestrators inject variables of their own, so they are no errors.
func unknown(given map[string]string) []string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
		if s.use == orFromFile {
			names = append(names, s.name+"_FILE")
		}
	}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(names, name) {
			continue
		}
		nearest := slices.MinFunc(names, func(a, b string) int {
			return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
		})
		warnings = append(warnings, fmt.Sprintf("the variable %s is not known and not read; the nearest known is %s",
			visible(prefix+name), prefix+nearest))
	}
	return warnings
}

// check looks at what only several settings together can get wrong.
func (c Config) check() error {
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New(prefix + "TLS_CERT_FILE and " + prefix + "TLS_KEY_FILE are set together or not at all")
	}
	if !c.Keyset.IsZero() && c.KeysetFile != "" {
		return bothSet("KEYSET")
	}
	if (c.KeysetKMS == "") != c.KeysetKMSToken.IsZero() {
		return errors.New(prefix + "KEYSET_KMS and " + prefix + "KEYSET_KMS_TOKEN are set together or not at all")
	}
	if c.CookieSameSite == http.SameSiteNoneMode && !c.CookieSecure {
		return errors.New(prefix + "COOKIE_SAMESITE can't be none while " + prefix + "COOKIE_SECURE is false: browsers refuse such cookies")
	}
	if c.VoiceflowAllowHTTP {
		return nil
	}
	for _, service := range []struct{ name, base string }{
		{"VOICEFLOW_API_URL", c.VoiceflowAPIURL},
		{"VOICEFLOW_RUNTIME_URL", c.VoiceflowRuntimeURL},
		{"VOICEFLOW_ANALYTICS_URL", c.VoiceflowAnalyticsURL},
		{"VOICEFLOW_REALTIME_URL", c.VoiceflowRealtimeURL},
	} {
		if u, err := url.Parse(service.base); err != nil || u.Scheme == "http" && !isLoopback(u.Hostname()) {
			return fmt.Errorf("%s%s is plain http, by which keys would leave this machine in clear; use https, or set %sVOICEFLOW_ALLOW_HTTP=true",
				prefix, service.name, prefix)
		}
	}
	return nil
}

// isLoopback says whether host is this machine and nothing else.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// ownDatabase says whether the database is the SQLite file in the data folder.
func (c Config) ownDatabase() bool { return c.DatabaseURL.IsZero() }

// ownKeyset says whether the keyset is the file in the data folder.
func (c Config) ownKeyset() bool { return c.Keyset.IsZero() && c.KeysetFile == "" }

// database is the URL of the database.
func (c Config) database() domain.Secret {
	if !c.ownDatabase() {
		return c.DatabaseURL
	}
	file := url.URL{Scheme: "sqlite", Path: filepath.Join(c.DataDir, "flowlatch.db")}
	return domain.NewSecret(file.String())
}

// keysetPath is the keyset's file, for a keyset that is in one.
func (c Config) keysetPath() string {
	if c.ownKeyset() {
		return filepath.Join(c.DataDir, "keyset.json")
	}
	return c.KeysetFile
}

// tls says whether HTTP is served over TLS.
func (c Config) tls() bool { return c.TLSCertFile != "" }

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, text string) error {
		if text == "" {
			return errors.New("not be empty")
		}
		*field(c) = text
		return nil
	}
}

// folder keeps the absolute path, so that a line that names the folder means it
// wherever it is read.
func folder(c *Config, text string) (err error) {
	if text == "" {
		return errors.New("not be empty")
	}
	if c.DataDir, err = filepath.Abs(text); err != nil {
		return errors.New("be an absolute path, since the working directory can't be found")
	}
	return nil
}

func hidden(field func(*Config) *domain.Secret) func(*Config, string) error {
	return func(c *Config, text string) error {
		if text == "" {
			return errors.New("not be empty")
		}
		*field(c) = domain.NewSecret(text)
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, text string) (err error) {
		if *field(c), err = strconv.ParseBool(text); err != nil {
			return errors.New("be true or false")
		}
		return nil
	}
}

func number(least, most int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return fmt.Errorf("be a number from %d to %d", least, most)
		}
		*field(c) = n
		return nil
	}
}

// size reads a number of bytes, with or without a unit of 1,024.
func size(field func(*Config) *int64) func(*Config, string) error {
	units := []struct {
		name string
		of   int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}
	return func(c *Config, text string) error {
		for _, unit := range units {
			digits, found := strings.CutSuffix(text, unit.name)
			if !found {
				continue
			}
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
			if err != nil || n < 1 || n > 1<<40/unit.of {
				break
			}
			*field(c) = n * unit.of
			return nil
		}
		return errors.New("be a size such as 25MiB, or a number of bytes")
	}
}

func duration(least time.Duration, field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < least {
			return fmt.Errorf("be a duration such as 30s or 12h, at least %v", least)
		}
		*field(c) = d
		return nil
	}
}

func address(c *Config, text string) error {
	_, port, err := net.SplitHostPort(text)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || strconv.FormatUint(n, 10) != port {
		return errors.New("be host:port, such as 127.0.0.1:8080, or :8080 for all addresses of this machine")
	}
	c.Addr = text
	return nil
}

func baseURL(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, text string) error {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
			u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("be an absolute https URL without user, query and fragment")
		}
		*field(c) = strings.TrimRight(text, "/")
		return nil
	}
}

func kms(c *Config, text string) error {
	if err := vaulttransit.CheckURL(text); err != nil {
		return errors.New("name a key that can wrap a keyset: " + sentence(err))
	}
	c.KeysetKMS = text
	return nil
}

func sameSite(c *Config, text string) error {
	modes := map[string]http.SameSite{
		"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode, "none": http.SameSiteNoneMode,
	}
	mode, ok := modes[strings.ToLower(text)]
	if !ok {
		return errors.New("be lax, strict or none")
	}
	c.CookieSameSite = mode
	return nil
}

func origins(c *Config, text string) error {
	for _, origin := range list(text) {
		if as, err := domain.ParseOrigin(origin); err != nil || string(as) != origin || strings.Contains(origin, "*") {
			return errors.New("be origins such as https://console.example.com, without path and default port, with commas between")
		}
		c.TrustedOrigins = append(c.TrustedOrigins, origin)
	}
	return nil
}

func proxies(c *Config, text string) error {
	for _, proxy := range list(text) {
		_, addrErr := netip.ParseAddr(proxy)
		_, prefixErr := netip.ParsePrefix(proxy)
		if addrErr != nil && prefixErr != nil {
			return errors.New("be addresses or networks such as 10.0.0.0/8, with commas between")
		}
		c.TrustedProxies = append(c.TrustedProxies, proxy)
	}
	return nil
}

func logLevel(c *Config, text string) error {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[strings.ToLower(text)]
	if !ok {
		return errors.New("be debug, info, warn or error")
	}
	c.LogLevel = level
	return nil
}

// list reads a list with commas between. Empty places are passed over.
func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
