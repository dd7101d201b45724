package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/domain"
)

// secrets compares Secrets, whose fields cmp can't see.
var secrets = cmp.Comparer(domain.Secret.Equal)

func fileWith(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWithoutSettingsTheDefaultsHold(t *testing.T) {
	got, warnings, err := Read(Source{Environ: []string{"PATH=/bin", "FLOWLATCH_ADDR=", "FLOWLATCH_UNKNOWN="}})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Read: warnings %q, error %v, want none", warnings, err)
	}
	folder, err := filepath.Abs("flowlatch-data")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr: "127.0.0.1:8080", DataDir: folder,
		DatabaseWait: 10 * time.Second, DatabaseTimeout: 5 * time.Second, DatabaseMaxConns: 20,
		VoiceflowAPIURL: "https://api.voiceflow.com", VoiceflowRuntimeURL: "https://general-runtime.voiceflow.com",
		VoiceflowAnalyticsURL: "https://analytics-api.voiceflow.com", VoiceflowRealtimeURL: "https://realtime-api.voiceflow.com",
		VoiceflowTimeout: 20 * time.Second,
		ForwardTimeout:   2 * time.Minute, ForwardIdle: time.Minute, ForwardMaxBody: 25 << 20, ForwardMaxAnswer: 64 << 20, ForwardRate: 500, ForwardReadRate: 600, ForwardOpen: 32, MemoryBodies: 128 << 20,
		Console: true, CookieSecure: true, CookieSameSite: http.SameSiteLaxMode,
		Lifetimes:     domain.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, Remember: 720 * time.Hour},
		LoginFailures: 10, LoginFailuresAddress: 100, LoginRate: 30, WriteRate: 600,
		OIDC:            OIDC{Scopes: []string{"openid", "profile", "email"}, GroupsClaim: "groups", CreateUsers: true, LogoutAtProvider: true, Recheck: 15 * time.Minute},
		PasswordLogin:   domain.PasswordLoginAll,
		ShutdownTimeout: 9 * time.Second, LogLevel: slog.LevelInfo,
	}
	if diff := cmp.Diff(want, got, secrets); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if got, want := got.Database().Reveal(), "sqlite://"+folder+"/flowlatch.db"; got != want {
		t.Errorf("database: got %q, want %q", got, want)
	}
	if got, want := got.KeysetPath(), folder+"/keyset.json"; got != want {
		t.Errorf("keyset: got %q, want %q", got, want)
	}
}

func TestEverySettingCanBeSet(t *testing.T) {
	values := map[string]string{
		"ADDR": "[::1]:0", "TLS_CERT_FILE": "c.pem", "TLS_KEY_FILE": "k.pem", "DATA_DIR": "/srv/data",
		"DATABASE_URL": "postgres://u:p@h/d", "DATABASE_WAIT": "0s", "DATABASE_TIMEOUT": "1s", "DATABASE_MAX_CONNS": "3",
		"KEYSET_FILE": "/k", "KEYSET_KMS": "vault-transit://v/transit/k", "KEYSET_KMS_TOKEN": "hvs.x", "VOICEFLOW_API_URL": "http://127.0.0.1:1/", "VOICEFLOW_RUNTIME_URL": "http://[::1]:2",
		"VOICEFLOW_ANALYTICS_URL": "http://localhost:3", "VOICEFLOW_REALTIME_URL": "https://r.example/base", "VOICEFLOW_ALLOW_HTTP": "true",
		"VOICEFLOW_TIMEOUT": "2s", "FORWARD_TIMEOUT": "3s", "FORWARD_IDLE": "4s", "FORWARD_MAX_BODY": "1000", "FORWARD_MAX_ANSWER": "2 GiB", "FORWARD_RATE": "0", "FORWARD_READ_RATE": "7", "FORWARD_OPEN": "5", "MEMORY_BODIES": "16MiB", "AUDIT_READS": "none", "AUDIT_KEEP": "400", "AUDIT_ARCHIVE": "/srv/audit", "USAGE_KEEP": "31",
		"BASE_URL": "https://Example.com:443/flowlatch/", "CONSOLE": "true", "COOKIE_PREFIX": "staging_", "COOKIE_SECURE": "true", "COOKIE_SAMESITE": "None",
		"TRUSTED_ORIGINS": "https://a.example, https://b.example:8443,", "TRUSTED_PROXIES": "10.0.0.0/8, ::1",
		"SESSION_IDLE": "1m", "SESSION_LIFETIME": "2m", "REMEMBER_LIFETIME": "3m", "LOGIN_FAILURES": "1", "LOGIN_FAILURES_ADDRESS": "2", "LOGIN_RATE": "3", "WRITE_RATE": "0",
		"OIDC_ISSUER": "http://127.0.0.1:9/realms/a/", "OIDC_CLIENT_ID": "flowlatch", "OIDC_CLIENT_SECRET": "hunter2", "OIDC_SCOPES": "groups  openid", "OIDC_LABEL": "Company login",
		"OIDC_GROUPS_CLAIM": "/realm_access/roles", "OIDC_REQUIRED_GROUPS": "staff, Ops", "OIDC_ADMIN_GROUPS": "admins,", "OIDC_CREATE_USERS": "false", "OIDC_LOGOUT": "here",
		"OIDC_RECHECK": "1s", "PASSWORD_LOGIN": "Admins", "WEBHOOK_ALLOW_PRIVATE": "true",
		"SHUTDOWN_TIMEOUT": "0s", "LOG_LEVEL": "debug",
	}
	want := Config{
		Addr: "[::1]:0", TLSCertFile: "c.pem", TLSKeyFile: "k.pem", DataDir: "/srv/data",
		DatabaseURL: domain.NewSecret("postgres://u:p@h/d"), DatabaseTimeout: time.Second, DatabaseMaxConns: 3, KeysetFile: "/k",
		KeysetKMS: "vault-transit://v/transit/k", KeysetKMSToken: domain.NewSecret("hvs.x"),
		VoiceflowAPIURL: "http://127.0.0.1:1", VoiceflowRuntimeURL: "http://[::1]:2",
		VoiceflowAnalyticsURL: "http://localhost:3", VoiceflowRealtimeURL: "https://r.example/base", VoiceflowAllowHTTP: true,
		VoiceflowTimeout: 2 * time.Second, ForwardTimeout: 3 * time.Second, ForwardIdle: 4 * time.Second, ForwardMaxBody: 1000, ForwardMaxAnswer: 2 << 30, ForwardReadRate: 7, ForwardOpen: 5, MemoryBodies: 16 << 20,
		AuditReads: domain.NoReads, AuditKeepDays: 400, AuditArchive: "/srv/audit", UsageKeepDays: 31,
		BaseURL: domain.BaseURL{Origin: "https://example.com", Path: "/flowlatch"}, Console: true, CookiePrefix: "staging_",
		CookieSecure: true, CookieSameSite: http.SameSiteNoneMode,
		TrustedOrigins: []string{"https://a.example", "https://b.example:8443"}, TrustedProxies: []string{"10.0.0.0/8", "::1"},
		Lifetimes:     domain.Lifetimes{Idle: time.Minute, Absolute: 2 * time.Minute, Remember: 3 * time.Minute},
		LoginFailures: 1, LoginFailuresAddress: 2, LoginRate: 3, LogLevel: slog.LevelDebug,
		OIDC: OIDC{
			Issuer: "http://127.0.0.1:9/realms/a/", ClientID: "flowlatch", ClientSecret: domain.NewSecret("hunter2"), Scopes: []string{"groups", "openid"}, Label: "Company login",
			GroupsClaim: "/realm_access/roles", RequiredGroups: []string{"staff", "Ops"}, AdminGroups: []string{"admins"}, Recheck: time.Second,
		},
		PasswordLogin: domain.PasswordLoginAdmins, WebhookAllowPrivate: true,
	}
	var environ []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		environ = append(environ, Prefix+name+"="+values[name])
	}
	flags := maps.Clone(values)
	maps.DeleteFunc(flags, func(name, _ string) bool {
		return slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == name && s.Flag() == "" })
	})
	for _, tc := range []struct {
		name string
		from Source
	}{
		{"by the environment", Source{Environ: environ}},
		{"by flags, which win", Source{Flags: flags, Environ: []string{
			"FLOWLATCH_DATABASE_URL=postgres://u:p@h/d", "FLOWLATCH_KEYSET_FILE=/k",
			"FLOWLATCH_KEYSET_KMS=vault-transit://v/transit/k", "FLOWLATCH_KEYSET_KMS_TOKEN=hvs.x", "FLOWLATCH_OIDC_CLIENT_SECRET=hunter2", "FLOWLATCH_ADDR=:1", "FLOWLATCH_LOG_LEVEL=nonsense",
		}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, warnings, err := Read(tc.from)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("Read: warnings %q, error %v, want none", warnings, err)
			}
			if diff := cmp.Diff(want, got, secrets); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPipeIsReadOnce(t *testing.T) {
	pipe, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if _, err := in.WriteString("postgres://u:p@h/d\n"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	c, _, err := Read(Source{Environ: []string{fmt.Sprint("FLOWLATCH_DATABASE_URL_FILE=/dev/fd/", pipe.Fd())}})
	if err != nil || c.DatabaseURL.Reveal() != "postgres://u:p@h/d" || len(c.SecretFiles) != 0 {
		t.Errorf("got files %v and error %v, want the secret and no file that is read again", c.SecretFiles, err)
	}
}

func TestSecretsComeFromFilesToo(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"as it is", "postgres://u:p@h/d", "postgres://u:p@h/d"},
		{"without the newline at its end", "postgres://u:p@h/d\n", "postgres://u:p@h/d"},
		{"without the line end of Windows", "postgres://u:p@h/d\r\n", "postgres://u:p@h/d"},
		{"without a byte order mark", "\xef\xbb\xbfpostgres://u:p@h/d\r\n", "postgres://u:p@h/d"},
		{"in UTF-16, as Windows PowerShell writes it", "\xff\xfep\x00:\x00/\x00/\x00\xfc\x00\r\x00\n\x00", "p://\u00fc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := fileWith(t, tc.content)
			c, _, err := Read(Source{Environ: []string{"FLOWLATCH_DATABASE_URL_FILE=" + file}})
			if got := c.DatabaseURL.Reveal(); err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
			if got := c.SecretFiles; len(got) != 1 || got["DATABASE_URL"] != file {
				t.Errorf("the files of secrets are %v, want that of DATABASE_URL", got)
			}
		})
	}
}

func TestWhichReadsAreAudited(t *testing.T) {
	for _, tc := range []struct {
		text string
		want domain.AuditReads
	}{
		{"export", domain.ExportReads},
		{" Export ,", domain.ExportReads},
		{"export,transcripts", domain.ExportAndTranscriptReads},
		{" transcripts , export ", domain.ExportAndTranscriptReads},
		{"none", domain.NoReads},
	} {
		c, _, err := Read(Source{Environ: []string{"FLOWLATCH_AUDIT_READS=" + tc.text}})
		if err != nil || c.AuditReads != tc.want {
			t.Errorf("%q: got %v and error %v, want %v", tc.text, c.AuditReads, err, tc.want)
		}
	}
}

func TestValuesThatCannotBeUsed(t *testing.T) {
	const bad = "hunter2-secret" // no error may contain it
	for _, tc := range []struct {
		name    string
		environ []string
		flags   map[string]string
		want    string
	}{
		{"an address without a port", []string{"ADDR=" + bad}, nil, "FLOWLATCH_ADDR must be host:port"},
		{"an invalid port", []string{"ADDR=:70000"}, nil, "FLOWLATCH_ADDR must be host:port"},
		{"a port with a sign", []string{"ADDR=:+80"}, nil, "FLOWLATCH_ADDR must be host:port"},
		{"a flag, which is named as it was given", nil, map[string]string{"ADDR": bad}, "--addr must be host:port"},
		{"an empty flag", nil, map[string]string{"DATA_DIR": ""}, "--data-dir must not be empty"},
		{"a duration without a unit", []string{"DATABASE_WAIT=10"}, nil, "FLOWLATCH_DATABASE_WAIT must be a duration"},
		{"a duration below its least", []string{"SESSION_IDLE=10ms"}, nil, "FLOWLATCH_SESSION_IDLE must be a duration such as 30s or 12h, at least 1s"},
		{"a duration below zero", []string{"SHUTDOWN_TIMEOUT=-1s"}, nil, "FLOWLATCH_SHUTDOWN_TIMEOUT must be a duration"},
		{"an invalid number", []string{"DATABASE_MAX_CONNS=" + bad}, nil, "FLOWLATCH_DATABASE_MAX_CONNS must be a number from 1 to 10000"},
		{"an invalid size", []string{"FORWARD_MAX_BODY=lots"}, nil, "FLOWLATCH_FORWARD_MAX_BODY must be a size such as 25MiB, or a number of bytes"},
		{"a size of nothing", []string{"FORWARD_MAX_ANSWER=0MiB"}, nil, "FLOWLATCH_FORWARD_MAX_ANSWER must be a size"},
		{"a size beyond all", []string{"FORWARD_MAX_ANSWER=2000GiB"}, nil, "FLOWLATCH_FORWARD_MAX_ANSWER must be a size"},
		{"a size below its least", []string{"MEMORY_BODIES=16383KiB"}, nil, "FLOWLATCH_MEMORY_BODIES must be at least 16MiB"},
		{"a number below its least", []string{"LOGIN_FAILURES=0"}, nil, "FLOWLATCH_LOGIN_FAILURES must be a number from 1"},
		{"reads that can't be audited", []string{"AUDIT_READS=export," + bad}, nil, "FLOWLATCH_AUDIT_READS must be export, none, or export,transcripts"},
		{"no reads and some", []string{"AUDIT_READS=none,export"}, nil, "FLOWLATCH_AUDIT_READS must be export, none, or export,transcripts"},
		{"reads that come twice", []string{"AUDIT_READS=export,export"}, nil, "FLOWLATCH_AUDIT_READS must be export, none, or export,transcripts"},
		{"transcripts without exports", []string{"AUDIT_READS=transcripts"}, nil, "FLOWLATCH_AUDIT_READS must be export, none, or export,transcripts"},
		{"an invalid boolean", []string{"COOKIE_SECURE=" + bad}, nil, "FLOWLATCH_COOKIE_SECURE must be true or false"},
		{"an invalid SameSite", []string{"COOKIE_SAMESITE=" + bad}, nil, "FLOWLATCH_COOKIE_SAMESITE must be lax, strict or none"},
		{"SameSite=None without Secure", []string{"COOKIE_SAMESITE=none", "COOKIE_SECURE=false"}, nil, "browsers refuse such cookies"},
		{"an invalid level", []string{"LOG_LEVEL=" + bad}, nil, "FLOWLATCH_LOG_LEVEL must be debug, info, warn or error"},
		{"an origin with a path", []string{"TRUSTED_ORIGINS=https://a.example/" + bad}, nil, "FLOWLATCH_TRUSTED_ORIGINS must be origins"},
		{"an invalid proxy", []string{"TRUSTED_PROXIES=10.0.0.0/8," + bad}, nil, "FLOWLATCH_TRUSTED_PROXIES must be addresses"},
		{"a Unix socket as a proxy", []string{"TRUSTED_PROXIES=unix:/" + bad}, nil, "a Unix socket has no address"},
		{"a proxy with a zone", []string{"TRUSTED_PROXIES=fe80::1%" + bad}, nil, "FLOWLATCH_TRUSTED_PROXIES must be addresses"},
		{"a base URL with a user", []string{"BASE_URL=https://" + bad + "@example.com"}, nil, "FLOWLATCH_BASE_URL must be an http or https URL"},
		{"a base URL with a query", []string{"BASE_URL=https://example.com/?" + bad}, nil, "FLOWLATCH_BASE_URL must be an http or https URL"},
		{"a cookie prefix with a space", []string{"COOKIE_PREFIX=" + bad + " " + bad}, nil, "FLOWLATCH_COOKIE_PREFIX must have at most 32"},
		{"a cookie prefix of browsers", nil, map[string]string{"COOKIE_PREFIX": "__Host-"}, "--cookie-prefix must have at most 32"},
		{"a URL with a password", []string{"VOICEFLOW_API_URL=https://u:" + bad + "@h"}, nil, "FLOWLATCH_VOICEFLOW_API_URL must be an absolute https URL"},
		{"an invalid URL", []string{"VOICEFLOW_RUNTIME_URL=://" + bad}, nil, "FLOWLATCH_VOICEFLOW_RUNTIME_URL must be an absolute https URL"},
		{"plain http beyond this machine", []string{"VOICEFLOW_ANALYTICS_URL=http://" + bad}, nil, "FLOWLATCH_VOICEFLOW_ANALYTICS_URL is plain http"},
		{"a certificate without its key", []string{"TLS_CERT_FILE=" + bad}, nil, "FLOWLATCH_TLS_CERT_FILE and FLOWLATCH_TLS_KEY_FILE are set together"},
		{"a secret and its file", []string{"DATABASE_URL=" + bad, "DATABASE_URL_FILE=/f"}, nil, "FLOWLATCH_DATABASE_URL and FLOWLATCH_DATABASE_URL_FILE are both set"},
		{"a keyset and its file", []string{"KEYSET=" + bad, "KEYSET_FILE=/f"}, nil, "FLOWLATCH_KEYSET and FLOWLATCH_KEYSET_FILE are both set"},
		{"a key that wraps the keyset, without a token", []string{"KEYSET_KMS=vault-transit://" + bad + "/m/k"}, nil, "FLOWLATCH_KEYSET_KMS and FLOWLATCH_KEYSET_KMS_TOKEN are set together"},
		{"a token for nothing", []string{"KEYSET_KMS_TOKEN=" + bad}, nil, "FLOWLATCH_KEYSET_KMS and FLOWLATCH_KEYSET_KMS_TOKEN are set together"},
		{"an issuer with a query", provider("OIDC_ISSUER=https://p.example/?" + bad), nil, "FLOWLATCH_OIDC_ISSUER must be an absolute https URL"},
		{"an issuer with a user", provider("OIDC_ISSUER=https://" + bad + "@p.example"), nil, "FLOWLATCH_OIDC_ISSUER must be an absolute https URL"},
		{"an issuer with plain http beyond this machine", provider("OIDC_ISSUER=http://" + bad), nil, "FLOWLATCH_OIDC_ISSUER is plain http"},
		{"an issuer without the id of a client", []string{"OIDC_ISSUER=https://" + bad, "BASE_URL=https://f.example"}, nil, "FLOWLATCH_OIDC_ISSUER needs FLOWLATCH_OIDC_CLIENT_ID"},
		{"an issuer without a base URL", []string{"OIDC_ISSUER=https://" + bad, "OIDC_CLIENT_ID=c"}, nil, "FLOWLATCH_OIDC_ISSUER needs FLOWLATCH_BASE_URL"},
		{"an issuer without pages", provider("CONSOLE=false"), nil, "FLOWLATCH_CONSOLE=false turns off"},
		{"a base URL with plain http beyond this machine, with an issuer", provider("BASE_URL=http://" + bad), nil, "FLOWLATCH_BASE_URL is plain http"},
		{"the secret of a client without an issuer", []string{"OIDC_CLIENT_SECRET=" + bad}, nil, "FLOWLATCH_OIDC_CLIENT_SECRET needs FLOWLATCH_OIDC_ISSUER"},
		{"the file of that secret without an issuer", []string{"OIDC_CLIENT_SECRET_FILE=" + fileWith(t, bad)}, nil, "FLOWLATCH_OIDC_CLIENT_SECRET needs FLOWLATCH_OIDC_ISSUER"},
		{"the groups of admins without an issuer, by a flag", nil, map[string]string{"OIDC_ADMIN_GROUPS": bad}, "FLOWLATCH_OIDC_ADMIN_GROUPS needs FLOWLATCH_OIDC_ISSUER"},
		{"scopes without openid", provider("OIDC_SCOPES=profile " + bad), nil, "FLOWLATCH_OIDC_SCOPES must have the scope openid"},
		{"scopes with commas", provider("OIDC_SCOPES=openid," + bad), nil, "FLOWLATCH_OIDC_SCOPES must be scopes such as"},
		{"a claim that is an invalid pointer", provider("OIDC_GROUPS_CLAIM=/~" + bad), nil, "FLOWLATCH_OIDC_GROUPS_CLAIM must be the name of a claim"},
		{"a claim that is all claims", provider("OIDC_GROUPS_CLAIM=/"), nil, "FLOWLATCH_OIDC_GROUPS_CLAIM must be the name of a claim"},
		{"a label that is too long", provider("OIDC_LABEL=" + strings.Repeat(bad, 5)), nil, "FLOWLATCH_OIDC_LABEL must be a text of 1 to 64 bytes"},
		{"a group that is too long", provider("OIDC_REQUIRED_GROUPS=a," + strings.Repeat(bad, 20)), nil, "FLOWLATCH_OIDC_REQUIRED_GROUPS must be groups of at most 256 bytes"},
		{"a logout elsewhere", provider("OIDC_LOGOUT=" + bad), nil, "FLOWLATCH_OIDC_LOGOUT must be provider or here"},
		{"a recheck below its least", provider("OIDC_RECHECK=999ms"), nil, "FLOWLATCH_OIDC_RECHECK must be a duration such as 30s or 12h, at least 1s"},
		{"an unknown rule for passwords", provider("PASSWORD_LOGIN=" + bad), nil, "FLOWLATCH_PASSWORD_LOGIN must be all, admins or off"},
		{"no passwords without an issuer", []string{"PASSWORD_LOGIN=off"}, nil, "FLOWLATCH_PASSWORD_LOGIN can be off only with an identity provider"},
		{"passwords of admins without an issuer", nil, map[string]string{"PASSWORD_LOGIN": "admins"}, "FLOWLATCH_PASSWORD_LOGIN can be admins only with an identity provider"},
		{"a secret's file that does not exist", []string{"DATABASE_URL_FILE=/" + bad}, nil, "FLOWLATCH_DATABASE_URL_FILE names a file that can't be read: no such file"},
		{"a secret's file that is empty", []string{"DATABASE_URL_FILE=" + fileWith(t, "\n")}, nil, "FLOWLATCH_DATABASE_URL must not be empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var environ []string
			for _, e := range tc.environ {
				environ = append(environ, Prefix+e)
			}
			_, _, err := Read(Source{Environ: environ, Flags: tc.flags})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want one with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), bad) {
				t.Errorf("the sentence shows the value: %v", err)
			}
		})
	}
}

// provider returns settings of an identity provider, followed by one that is not as it should be.
func provider(wrong string) []string {
	return []string{"OIDC_ISSUER=https://p.example", "OIDC_CLIENT_ID=c", "BASE_URL=https://f.example", wrong}
}

func TestPlainHTTPOnThisMachineIsEnoughForAnIssuer(t *testing.T) {
	_, _, err := Read(Source{Environ: []string{"FLOWLATCH_OIDC_ISSUER=http://localhost:1", "FLOWLATCH_OIDC_CLIENT_ID=c", "FLOWLATCH_BASE_URL=http://127.0.0.1:8080"}})
	if err != nil {
		t.Error(err)
	}
}

func TestUnknownVariablesAreWarnings(t *testing.T) {
	_, got, err := Read(Source{Environ: []string{
		"FLOWLATCH_ADR=secret", "FLOWLATCH_DATABASE_URL_FIL=secret", "FLOWLATCH_PORT=tcp://10.0.0.1:80", "FLOWLATCH_\x1b[2J=secret", "OTHER=1",
		"FLOWLATCH_TOKEN=flk_x", // an access token of a client, as docs/clients.md has it
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`the variable "FLOWLATCH_\x1b[2J" is not known and not read; the nearest known is FLOWLATCH_ADDR`,
		"the variable FLOWLATCH_ADR is not known and not read; the nearest known is FLOWLATCH_ADDR",
		"the variable FLOWLATCH_DATABASE_URL_FIL is not known and not read; the nearest known is FLOWLATCH_DATABASE_URL_FILE",
		"the variable FLOWLATCH_PORT is not known and not read; the nearest known is FLOWLATCH_ADDR",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestDemoHeedsNothingOfTheRealData(t *testing.T) {
	c, warnings, err := Read(Source{Demo: true, Environ: []string{
		"FLOWLATCH_DATA_DIR=/srv", "FLOWLATCH_DATABASE_URL=nonsense", "FLOWLATCH_DATABASE_WAIT=nonsense",
		"FLOWLATCH_KEYSET=k", "FLOWLATCH_KEYSET_FILE=/k", "FLOWLATCH_KEYSET_KMS=nonsense", "FLOWLATCH_VOICEFLOW_API_URL=nonsense", "FLOWLATCH_SESSION_IDLE=1m",
		"FLOWLATCH_OIDC_ISSUER=nonsense", "FLOWLATCH_OIDC_CLIENT_SECRET=s", "FLOWLATCH_PASSWORD_LOGIN=off",
	}})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Read: warnings %q, error %v, want none", warnings, err)
	}
	if !c.OwnDatabase() || !c.OwnKeyset() || c.DataDir == "/srv" || c.OIDC.Issuer != "" || c.PasswordLogin != domain.PasswordLoginAll {
		t.Errorf("demo has the real data: %+v", c)
	}
	if c.CookieSecure || c.LogLevel != slog.LevelError || c.Lifetimes.Idle != time.Minute {
		t.Errorf("got secure %t, level %v, idle %v, want demo's own, and what is set", c.CookieSecure, c.LogLevel, c.Lifetimes.Idle)
	}
	if c, _, _ := Read(Source{Demo: true, Environ: []string{"FLOWLATCH_COOKIE_SECURE=true"}}); !c.CookieSecure {
		t.Error("demo's own fallback wins over the environment")
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	c, _, err := Read(Source{Environ: []string{"FLOWLATCH_DATABASE_URL=postgres://u:hunter2@h/d", "FLOWLATCH_KEYSET=hunter2",
		"FLOWLATCH_KEYSET_KMS=vault-transit://v/m/k", "FLOWLATCH_KEYSET_KMS_TOKEN=hunter2",
		"FLOWLATCH_OIDC_ISSUER=https://p.example", "FLOWLATCH_OIDC_CLIENT_ID=c", "FLOWLATCH_OIDC_CLIENT_SECRET=hunter2", "FLOWLATCH_BASE_URL=https://f.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, "hunter2") {
		t.Errorf("a secret shows: %s", shown)
	}
}

func TestFlagsAreTheTable(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags func() kong.Plugins
		want  func(Setting) bool
	}{
		{"serve has all but secrets", ServeFlags, func(s Setting) bool { return s.use != noFlag && s.use != orFromFile }},
		{"demo has those that do not touch the data", DemoFlags, func(s Setting) bool { return s.use == everywhere }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			flags := tc.flags()
			parser, err := kong.New(&struct{ kong.Plugins }{flags})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range settings {
				args := []string{"--" + s.flag() + "=given"}
				_, err := parser.Parse(args)
				if has := err == nil; has != tc.want(s) {
					t.Errorf("%s: accepted is %t, want %t", args, has, tc.want(s))
				} else if has && GivenFlags(flags)[s.Name] != "given" {
					t.Errorf("%s did not arrive", args)
				}
			}
		})
	}
}

func TestAKMSIsChecked(t *testing.T) {
	const url = "vault-transit://v/transit/k"
	environ := []string{"FLOWLATCH_KEYSET_KMS=" + url, "FLOWLATCH_KEYSET_KMS_TOKEN=x"}
	for _, tc := range []struct {
		name string
		from Source
		want string
	}{
		{"one that can't be used", Source{Environ: environ}, "FLOWLATCH_KEYSET_KMS must name a key that can wrap a keyset: no"},
		{"the command demo reads none", Source{Environ: environ, Demo: true}, ""},
		{"none is set", Source{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.from.CheckKMS = func(got string) error {
				if got != url {
					t.Errorf("checked %q, want %q", got, url)
				}
				return errors.New("no")
			}
			_, _, err := Read(tc.from)
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
		})
	}
}
