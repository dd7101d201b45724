package main

import (
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/internal/config"
)

func TestVoiceflowIsTheDefault(t *testing.T) {
	cfg, _, err := config.Read(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []struct{ name, got, want string }{
		{"api", cfg.VoiceflowAPIURL, voiceflow.DefaultBaseURL},
		{"runtime", cfg.VoiceflowRuntimeURL, voiceflow.DefaultRuntimeURL},
		{"analytics", cfg.VoiceflowAnalyticsURL, voiceflow.DefaultAnalyticsURL},
		{"realtime", cfg.VoiceflowRealtimeURL, voiceflow.DefaultRealtimeURL},
	} {
		if url.got != url.want {
			t.Errorf("%s: got %q, want %q", url.name, url.got, url.want)
		}
	}
}

func TestAKMSThatCannotBeUsed(t *testing.T) {
	const bad = "hunter2-secret" // no error may contain it
	for _, tc := range []struct{ name, kms, want string }{
		{"of an unknown kind", "aws-kms://" + bad, "FLOWLATCH_KEYSET_KMS must name a key that can wrap a keyset"},
		{"over plain http beyond this machine", "vault-transit+http://" + bad + "/m/k", "plain HTTP to Vault is for this machine only"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("FLOWLATCH_KEYSET_KMS", tc.kms)
			t.Setenv("FLOWLATCH_KEYSET_KMS_TOKEN", "x")
			_, _, err := readConfig(config.Source{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want one with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), bad) {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}
