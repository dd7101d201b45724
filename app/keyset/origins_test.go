package keyset_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
)

const elsewhere = domain.Origin("https://elsewhere.test:8443")

// setTo returns the origins of the installation with that of service elsewhere.
func setTo(service domain.Service, at domain.Origin) domain.Origins {
	o := testworld.Origins()
	o[service] = at
	return o
}

// originPorts is what the commands work with that show and confirm the origins.
func (w *world) originPorts(set domain.Origins) keyset.OriginPorts {
	return keyset.OriginPorts{
		Installation: w.Store.Ports().Installation, Cipher: w.Cipher, Keyring: w.Cipher, Set: set, Clock: w.Now,
	}
}

// starts returns the error of a start that is set to send keys to those origins.
func (w *world) starts(t *testing.T, set domain.Origins) error {
	t.Helper()
	p := w.ports()
	p.Origins = set
	_, err := keyset.Open(t.Context(), p)
	return err
}

func (w *world) wantOrigins(t *testing.T, what string, want domain.Origins) {
	t.Helper()
	got, err := keyset.Origins(t.Context(), w.originPorts(testworld.Origins()))
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("the recorded origins %s: error %v, -want +got\n%s", what, err, d)
	}
}

// forget makes the installation what a program stored that records no origins.
func (w *world) forget(t *testing.T) {
	t.Helper()
	err := w.Store.Ports().Installation.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) {
		opened, err := w.Cipher.Open(is.Pseudonyms, domain.BindPseudonymKey())
		if err != nil {
			return is, err
		}
		old, _, _ := strings.Cut(opened.Reveal(), "\x00keys are sent to ")
		is.Pseudonyms, err = w.Cipher.Seal(domain.NewSecret(old), domain.BindPseudonymKey())
		return is, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAStartWithOtherOriginsIsRefused(t *testing.T) {
	for _, service := range domain.Services()[1:] {
		t.Run(string(service), func(t *testing.T) {
			w := newWorld(t)
			w.wantOrigins(t, "after the first start", testworld.Origins())
			err := w.starts(t, setTo(service, elsewhere))
			testworld.WantKind(t, err, domain.Conflict)
			for _, text := range []string{string(service), string(testworld.Origins()[service]), string(elsewhere), "flowlatch voiceflow origins --confirm"} {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("the error %v does not say %q", err, text)
				}
			}
			w.wantOrigins(t, "after a start that was refused", testworld.Origins())
			testworld.WantKind(t, w.starts(t, testworld.Origins()), "")
		})
	}
}

func TestTheOriginsOfAnOlderDatabaseAreRecordedAtTheNextStart(t *testing.T) {
	w := newWorld(t)
	key := w.keys.PseudonymKey()
	w.forget(t)
	w.wantOrigins(t, "before the start", domain.Origins{domain.ServiceAPI: testworld.Origin})
	set := setTo(domain.ServiceRuntime, elsewhere)
	testworld.WantKind(t, w.starts(t, set), "")
	w.wantOrigins(t, "after the start", set)
	testworld.WantKind(t, w.starts(t, testworld.Origins()), domain.Conflict)
	if again := w.open(t, func() keyset.Ports { p := w.ports(); p.Origins = set; return p }()); !again.PseudonymKey().Equal(key) {
		t.Error("the key of the pseudonyms has changed")
	}
}

func TestOfTwoInstancesWithOtherOriginsTheSecondIsRefused(t *testing.T) {
	w := &world{World: testworld.New(t)}
	testworld.WantKind(t, w.starts(t, setTo(domain.ServiceAnalytics, elsewhere)), "")
	testworld.WantKind(t, w.starts(t, testworld.Origins()), domain.Conflict)
}

func TestAChangeOfOriginsIsConfirmed(t *testing.T) {
	w := newWorld(t)
	key := w.keys.PseudonymKey()
	set := setTo(domain.ServiceRuntime, elsewhere)
	set[domain.ServiceRealtime] = "https://third.test"
	before := len(w.Store.Records())
	changed, err := keyset.ConfirmOrigins(t.Context(), w.originPorts(set), w.Operator())
	if d := cmp.Diff([]domain.Service{domain.ServiceRuntime, domain.ServiceRealtime}, changed); d != "" || err != nil {
		t.Fatalf("ConfirmOrigins: error %v, -want +got\n%s", err, d)
	}
	w.wantOrigins(t, "after they were confirmed", set)
	records := w.Store.Records()[before:]
	if len(records) != 1 || records[0].Action != domain.ActionConfirmOrigins || records[0].Actor != domain.ActorOperator ||
		records[0].Object != "voiceflow:general-runtime https://elsewhere.test:8443, realtime-api https://third.test" {
		t.Errorf("the audit has %+v, want the change", records)
	}
	testworld.WantKind(t, w.starts(t, testworld.Origins()), domain.Conflict)
	p := w.ports()
	p.Origins = set
	keys := w.open(t, p)
	if !keys.PseudonymKey().Equal(key) {
		t.Error("the key of the pseudonyms has changed")
	}
	if _, err := keys.Rotate(t.Context(), w.Operator()); err != nil {
		t.Fatal(err)
	}
	w.wantOrigins(t, "after a rotation", set)
	before = len(w.Store.Records())
	if changed, err = keyset.ConfirmOrigins(t.Context(), w.originPorts(set), w.Operator()); len(changed) != 0 || err != nil || len(w.Store.Records()) != before {
		t.Errorf("a second time: got %v and error %v, want no change and no audit row", changed, err)
	}
}

func TestWhoMayNotConfirmOrigins(t *testing.T) {
	w := newWorld(t)
	foreign := memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(p *keyset.OriginPorts)
		call   domain.Call
		want   domain.Kind
		says   string
	}{
		{"nobody", func(*keyset.OriginPorts) {}, domain.Call{}, domain.NotAllowed, ""},
		{"another origin of api, to which keys are bound", func(p *keyset.OriginPorts) { p.Set[domain.ServiceAPI] = elsewhere }, w.Operator(), domain.Conflict, "add the assistants with their keys to a new database"},
		{"another keyset", func(p *keyset.OriginPorts) { p.Cipher, p.Keyring = foreign, foreign }, w.Operator(), domain.Corrupt, "keyset"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := w.originPorts(setTo(domain.ServiceRuntime, elsewhere))
			tc.change(&p)
			before := len(w.Store.Records())
			_, err := keyset.ConfirmOrigins(t.Context(), p, tc.call)
			testworld.WantKind(t, err, tc.want)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the error %v does not say %q", err, tc.says)
			}
			w.wantOrigins(t, "after a refusal", testworld.Origins())
			if len(w.Store.Records()) != before {
				t.Error("an audit row says that they were confirmed")
			}
		})
	}
}

// Whoever can only write to the database can't prepare it for a service that sends keys elsewhere.
func TestTheDatabaseAloneConfirmsNoOrigins(t *testing.T) {
	w := newWorld(t)
	installation := w.Store.Ports().Installation
	is, err := installation.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func(domain.Installation) domain.Installation{
		"a changed byte": func(is domain.Installation) domain.Installation {
			is.Pseudonyms.Bytes[len(is.Pseudonyms.Bytes)-1] ^= 1
			return is
		},
		"the known value in their place": func(is domain.Installation) domain.Installation {
			is.Pseudonyms = is.Known
			return is
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := installation.Prepare(t.Context(), func(is domain.Installation) (domain.Installation, error) { return harm(is), nil }); err != nil {
				t.Fatal(err)
			}
			testworld.WantKind(t, w.starts(t, setTo(domain.ServiceRuntime, elsewhere)), domain.Corrupt)
			if err := installation.Prepare(t.Context(), func(domain.Installation) (domain.Installation, error) { return is, nil }); err != nil {
				t.Fatal(err)
			}
			testworld.WantKind(t, w.starts(t, testworld.Origins()), "")
		})
	}
}

func TestOriginsTakeAllPorts(t *testing.T) {
	w := newWorld(t)
	p := w.originPorts(testworld.Origins())
	delete(p.Set, domain.ServiceAnalytics)
	if _, err := keyset.Origins(t.Context(), p); err == nil || domain.KindOf(err) != "" {
		t.Errorf("without an origin: got error %v, want one of no kind", err)
	}
}
