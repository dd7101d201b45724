package domain_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// A Secret shows in no verb, log or encoding, wherever it sits.
func TestSecretNeverShows(t *testing.T) {
	const value = "VF.DM.hunter2hunter2"
	s := domain.NewSecret(value)
	hidden := struct{ key domain.Secret }{s} // fmt calls no methods through an unexported field
	shown := struct{ Key domain.Secret }{s}
	nested := struct{ in []any }{[]any{hidden, &shown}}
	var out bytes.Buffer
	for _, v := range []any{s, &s, hidden, &hidden, shown, &shown, nested, []domain.Secret{s}, map[string]domain.Secret{"k": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%e", "%c", "%U", "%t", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v, fmt.Errorf("wrapped: %v", v))
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("m", "v", v)
		}
		b, _ := json.Marshal(v)
		out.Write(b)
		b, _ = xml.Marshal(v)
		out.Write(b)
		_ = gob.NewEncoder(&out).Encode(v)
	}
	for _, leak := range []string{value, "hunter2", "68756e74657232", "68756E74657232", "104 117 110", "0x68, 0x75", "aHVudGVy"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the output holds %q", leak)
		}
	}
	if _, err := json.Marshal(shown); err == nil {
		t.Error("json.Marshal of a Secret succeeded, want an error")
	}
}

func TestSecretHoldsItsText(t *testing.T) {
	var s domain.Secret
	if !s.IsZero() || s.Reveal() != "" {
		t.Error("the zero Secret is not empty")
	}
	if err := json.Unmarshal([]byte(`"abc"`), &s); err != nil || s.Reveal() != "abc" {
		t.Errorf("decoding gives %q, %v; want abc", s.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`7`), &s); err == nil {
		t.Error("a number decodes into a Secret")
	}
	if !s.Equal(domain.NewSecret("abc")) || s.Equal(domain.NewSecret("abd")) || s.Equal(domain.Secret{}) {
		t.Error("Equal does not compare the texts")
	}
	if !(domain.Secret{}).Equal(domain.NewSecret("")) {
		t.Error("the empty text is not the zero Secret")
	}
}
