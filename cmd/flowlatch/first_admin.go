package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/config"
)

// noUsersYet returns a message that says how to create the first admin: with a set-up link, or with a
// command if there is no console. It returns "" if there is a user. local is the URL that the
// service listens on.
func noUsersYet(ctx context.Context, cfg config.Config, service *app.Service, local string) (string, error) {
	if !cfg.Console {
		has, err := service.HasUsers(ctx)
		if err != nil || has {
			return "", err
		}
		return firstAdmin(cfg, os.Args[0], os.Getenv), nil
	}
	call, err := service.OperatorCall()
	if err != nil {
		return "", err
	}
	link, err := service.NewSetupLink(ctx, call)
	if domain.KindOf(err) == domain.Conflict {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return "there are no users yet; follow this link within " + setupMinutes() + " to create the first admin:\n  " + setupURL(publicURL(cfg, local), link), nil
}

// setupURL returns the URL of the page that takes the link. base is where browsers find the pages.
func setupURL(base string, link app.SetupLink) string {
	return base + "/console/setup/" + link.Token.Reveal()
}

// pagesURL returns the URL where browsers find the pages. It returns an error that says what to set if
// there are no pages, or if the service picks the port. kind says what needs them, and instead what else
// can be done without pages.
func pagesURL(cfg config.Config, kind, instead string) (string, error) {
	if !cfg.Console {
		return "", errors.New(config.Prefix + "CONSOLE is false, so no page can take a " + kind + "; " + instead)
	}
	if _, port, _ := net.SplitHostPort(cfg.Addr); port == "0" && cfg.BaseURL == (domain.BaseURL{}) {
		return "", errors.New(config.Prefix + "ADDR lets the service pick a port, which this command does not know; set " + config.Prefix + "BASE_URL to the URL that the service prints")
	}
	return publicURL(cfg, localURL(cfg.Addr, cfg.TLS())), nil
}

// publicURL returns the base URL, or local if none is set.
func publicURL(cfg config.Config, local string) string {
	if cfg.BaseURL == (domain.BaseURL{}) {
		return local
	}
	return cfg.BaseURL.String()
}

// setupMinutes says how long a set-up link lasts.
func setupMinutes() string {
	return strconv.Itoa(int(app.SetupLinkLifetime.Minutes())) + " minutes"
}

// firstAdmin returns a message with the command that creates the first admin. The command has
// the variables that select the data, even if serve got them as flags.
func firstAdmin(cfg config.Config, program string, getenv func(string) string) string {
	var variables, secrets []string
	set := func(name, value string) { variables = append(variables, config.Prefix+name+"="+shellQuoted(value)) }
	secret := func(name string) {
		if file := getenv(config.Prefix + name + "_FILE"); file != "" {
			set(name+"_FILE", absolute(file))
		} else {
			secrets = append(secrets, config.Prefix+name)
		}
	}
	if cfg.OwnDatabase() || cfg.OwnKeyset() {
		set("DATA_DIR", cfg.DataDir)
	}
	if !cfg.OwnDatabase() {
		secret("DATABASE_URL")
	}
	if !cfg.OwnKeyset() {
		secret("KEYSET")
	}
	if cfg.KeysetKMS != "" {
		set("KEYSET_KMS", cfg.KeysetKMS)
		secret("KEYSET_KMS_TOKEN")
	}
	for _, url := range []struct{ name, set, standard string }{
		{"VOICEFLOW_API_URL", cfg.VoiceflowAPIURL, voiceflow.DefaultBaseURL},
		{"VOICEFLOW_RUNTIME_URL", cfg.VoiceflowRuntimeURL, voiceflow.DefaultRuntimeURL},
		{"VOICEFLOW_ANALYTICS_URL", cfg.VoiceflowAnalyticsURL, voiceflow.DefaultAnalyticsURL},
		{"VOICEFLOW_REALTIME_URL", cfg.VoiceflowRealtimeURL, voiceflow.DefaultRealtimeURL},
	} {
		if url.set != url.standard {
			set(url.name, url.set)
		}
	}
	if cfg.VoiceflowAllowHTTP {
		set("VOICEFLOW_ALLOW_HTTP", "true")
	}
	with := ""
	if len(secrets) > 0 {
		with = ", with " + strings.Join(secrets, " and ") + " set as here"
	}
	if filepath.Base(program) != program {
		program = absolute(program)
	}
	return "there are no users yet; create the first admin in another terminal" + with + ":\n  " +
		strings.Join(append(variables, shellQuoted(program)), " ") + " user create --admin NAME"
}

// absolute returns the absolute path, which is valid in every working directory.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// shellQuoted returns text as one word of a shell.
func shellQuoted(text string) string {
	plain := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+="
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
