package voiceflow_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestClientIsAVoiceflow(t *testing.T) {
	portstest.Voiceflow(t, func(t *testing.T) portstest.FarSide {
		far, elsewhere := start(t), start(t)
		origin, err := domain.ParseOrigin(far.URL())
		if err != nil {
			t.Fatal(err)
		}
		return portstest.FarSide{
			Client: func(t *testing.T, patience time.Duration) ports.Voiceflow {
				c, err := voiceflow.New(voiceflow.Options{
					BaseURL: far.URL(), RuntimeURL: far.URL(), AnalyticsURL: far.URL(), RealtimeURL: far.URL(),
					Timeout: patience, ForwardTimeout: patience, ForwardIdle: patience,
					Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
				})
				if err != nil {
					t.Fatal(err)
				}
				return c
			},
			Origins: domain.Origins{
				domain.ServiceAPI: origin, domain.ServiceRuntime: origin, domain.ServiceAnalytics: origin, domain.ServiceRealtime: origin,
			},
			Add: func(t *testing.T, a portstest.Assistant) {
				known := voiceflowtest.NewAssistant("", voiceflowtest.Shape2024)
				known.ProjectID, known.VersionID, known.Key = string(a.Project), a.Version, a.Key.Reveal()
				known.Aliases = []string{a.Alias}
				known.NameJSON, known.PlatformJSON, known.CreatedAt = a.NameJSON, a.PlatformJSON, a.Created
				for _, s := range []*voiceflowtest.Server{far, elsewhere} {
					if !a.Personal.IsZero() {
						s.AddPersonalToken(a.Personal.Reveal(), known.ProjectID)
					}
					if err := s.Add(known); err != nil {
						t.Fatal(err)
					}
				}
			},
			Fail: func(t *testing.T, f portstest.Fault) {
				if f.Form == portstest.FaultClosed {
					far.Close()
					return
				}
				fault, ok := faultOf(f, elsewhere.URL())
				if !ok {
					t.Fatalf("no such fault: %s", f.Form)
				}
				far.Fail(fault)
			},
			Serve: func(_ *testing.T, h http.Handler) {
				far.Fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) { h.ServeHTTP(w, r) })
			},
			Requests:  func() int { return len(far.Requests()) },
			Elsewhere: func() int { return len(elsewhere.Requests()) },
		}
	})
}

func start(t *testing.T) *voiceflowtest.Server {
	t.Helper()
	s, err := voiceflowtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func faultOf(f portstest.Fault, elsewhere string) (voiceflowtest.Fault, bool) {
	switch f.Form {
	case portstest.FaultStatus:
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if f.RetryAfter != "" {
				w.Header().Set("Retry-After", f.RetryAfter)
			}
			w.WriteHeader(f.Status)
			_, _ = io.WriteString(w, f.Text)
		}, true
	case portstest.FaultRedirect:
		return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
			voiceflowtest.Redirect(f.Status, elsewhere+r.URL.Path)(w, r, answer)
		}, true
	case portstest.FaultCut:
		return voiceflowtest.Truncated(10), true
	case portstest.FaultReset:
		return voiceflowtest.Reset(1000), true
	case portstest.FaultEndless:
		return voiceflowtest.EndlessBody(), true
	case portstest.FaultFollowed:
		return voiceflowtest.Followed(f.Text), true
	case portstest.FaultBody:
		return voiceflowtest.Answer(http.StatusOK, "application/json", f.Text), true
	case portstest.FaultSilent:
		return voiceflowtest.Silent(), true
	}
	return nil, false
}
