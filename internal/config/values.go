package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flowlatch/flowlatch/domain"
)

// Each function of this file reads the text of one kind of setting, or makes a function
// that does. The error completes "FLOWLATCH_X must …" and does not repeat the text.

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, text string) error {
		if text == "" {
			return errors.New("not be empty")
		}
		*field(c) = text
		return nil
	}
}

// mostDays is the longest time for which something is kept, in days. Longer is for ever.
const mostDays = 36_500

// usageKeep reads for how many days usage is kept.
func usageKeep(c *Config, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n != 0 && n < domain.LeastUsageDays || n > mostDays {
		return fmt.Errorf("be 0, or a number of days from %d to %d: the usage of the current month is needed", domain.LeastUsageDays, mostDays)
	}
	c.UsageKeepDays = n
	return nil
}

// auditArchive keeps the absolute path of the folder.
func auditArchive(c *Config, text string) (err error) {
	if text == "" {
		return errors.New("not be empty")
	}
	if c.AuditArchive, err = filepath.Abs(text); err != nil {
		return errors.New("be an absolute path, because the working directory can't be found")
	}
	return nil
}

// folder keeps the absolute path, so that a message that names the folder is right in every
// working directory.
func folder(c *Config, text string) (err error) {
	if text == "" {
		return errors.New("not be empty")
	}
	if c.DataDir, err = filepath.Abs(text); err != nil {
		return errors.New("be an absolute path, because the working directory can't be found")
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

// LeastMemoryBodies is the least that FLOWLATCH_MEMORY_BODIES may be, in bytes.
const LeastMemoryBodies = 16 << 20

// sizeFrom reads a size of at least so many bytes.
func sizeFrom(least int64, field func(*Config) *int64) func(*Config, string) error {
	read := size(field)
	return func(c *Config, text string) error {
		if err := read(c, text); err != nil {
			return err
		}
		if *field(c) < least {
			return fmt.Errorf("be at least %dMiB", least>>20)
		}
		return nil
	}
}

// size reads a number of bytes. The unit is KiB, MiB, GiB or none.
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

// auditReads reads which reads are audited. The order and spaces do not matter.
func auditReads(c *Config, text string) error {
	words := list(strings.ToLower(text))
	slices.Sort(words)
	reads, ok := map[string]domain.AuditReads{
		"export": domain.ExportReads, "export,transcripts": domain.ExportAndTranscriptReads, "none": domain.NoReads,
	}[strings.Join(words, ",")]
	if !ok {
		return errors.New("be export, none, or export,transcripts")
	}
	c.AuditReads = reads
	return nil
}

func pooler(c *Config, text string) error {
	switch strings.ToLower(text) {
	case "none":
		c.DatabasePooled = false
	case "transaction":
		c.DatabasePooled = true
	default:
		return errors.New("be none or transaction")
	}
	return nil
}

func origins(c *Config, text string) error {
	for _, origin := range list(text) {
		if as, err := domain.ParseOrigin(origin); err != nil || string(as) != origin || strings.Contains(origin, "*") {
			return errors.New("be origins such as https://console.example.com, without path and default port, separated by commas")
		}
		c.TrustedOrigins = append(c.TrustedOrigins, origin)
	}
	return nil
}

func proxies(c *Config, text string) error {
	c.TrustedProxies = append(c.TrustedProxies, list(text)...)
	if _, err := domain.ParseProxies(c.TrustedProxies); err != nil {
		return errors.New("be addresses or networks such as 10.0.0.0/8, separated by commas; a Unix socket has no address")
	}
	return nil
}

func ownURL(c *Config, text string) (err error) {
	if c.BaseURL, err = domain.ParseBaseURL(text); err != nil {
		return errors.New("be an http or https URL such as https://example.com/flowlatch, without user, query and fragment; write a host in another script as xn--…")
	}
	return nil
}

func cookiePrefix(c *Config, text string) (err error) {
	if c.CookiePrefix, err = domain.ParseCookiePrefix(text); err != nil {
		return errors.New("have at most 32 of A-Z a-z 0-9 _ -, and not begin with __Host-, __Secure- or __Http-, which browsers reserve")
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

// issuer keeps the text as it is, since the issuer in a token must be the same in every character
// (OpenID Connect Core 1.0, section 3.1.3.7).
func issuer(c *Config, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?#") {
		return errors.New("be an absolute https URL without user, query and fragment")
	}
	c.OIDC.Issuer = text
	return nil
}

// scopes reads a list of scopes (RFC 6749, section 3.3).
func scopes(c *Config, text string) error {
	c.OIDC.Scopes = strings.Fields(text)
	for _, scope := range c.OIDC.Scopes {
		if strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' || r == ',' }) {
			return errors.New("be scopes such as openid profile email, separated by spaces")
		}
	}
	if !slices.Contains(c.OIDC.Scopes, "openid") {
		return errors.New("have the scope openid, without which there is no ID token")
	}
	return nil
}

func label(c *Config, text string) error {
	const longest = 64
	if text == "" || len(text) > longest || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("be a text of 1 to %d bytes without control characters", longest)
	}
	c.OIDC.Label = text
	return nil
}

// claim reads the name of a claim or a JSON pointer (RFC 6901).
func claim(c *Config, text string) error {
	if text == "" || text == "/" || text[0] == '/' && !jsontext.Pointer(text).IsValid() {
		return errors.New("be the name of a claim, or a JSON pointer such as /realm_access/roles")
	}
	c.OIDC.GroupsClaim = text
	return nil
}

func groups(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, text string) error {
		named := list(text)
		for i, group := range named {
			parsed, err := domain.ParseGroup(group)
			if err != nil {
				return fmt.Errorf("be groups of at most %d bytes each, separated by commas", domain.MaxGroupName)
			}
			named[i] = parsed
		}
		*field(c) = named
		return nil
	}
}

func logout(c *Config, text string) error {
	switch strings.ToLower(text) {
	case "provider":
		c.OIDC.LogoutAtProvider = true
	case "here":
		c.OIDC.LogoutAtProvider = false
	default:
		return errors.New("be provider or here")
	}
	return nil
}

func passwordLogin(c *Config, text string) (err error) {
	if c.PasswordLogin, err = domain.ParsePasswordLogin(strings.ToLower(text)); err != nil {
		return errors.New("be all, admins or off")
	}
	return nil
}

// list splits a text at its commas. Empty items are skipped.
func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
