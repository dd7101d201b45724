package exportfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/importlist"
)

// canary stands where a key could stand. No message may contain it.
const canary = "VF.DM.canary"

// entries returns what read finds: a line for each entry, and one for an error that ends
// the reading.
func entries(read importlist.Reader, r io.Reader) []string {
	var out []string
	err := read(r, func(e importlist.Entry) error {
		if e.Err != nil {
			out = append(out, e.Place+": "+e.Err.Error())
			return nil
		}
		key := e.Key.Reveal()
		if !e.Secondary.IsZero() {
			key += "+" + e.Secondary.Reveal()
		}
		out = append(out, strings.Join([]string{e.Place, e.Version, key, e.Name, e.VoiceflowProject}, "|"))
		return nil
	})
	if err != nil {
		out = append(out, "ends: "+err.Error())
	}
	return out
}

func wantEntries(t *testing.T, read importlist.Reader, text string, want ...string) {
	t.Helper()
	got := entries(read, iotest.OneByteReader(strings.NewReader(text)))
	if whole := entries(read, strings.NewReader(text)); !slices.Equal(got, whole) {
		t.Errorf("byte by byte: got %q, else %q", got, whole)
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// identity returns a new key pair of age.
func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const testOrigin domain.Origin = "https://voiceflow.test"

// sealedFile returns a file with two assistants.
func sealedFile(t testing.TB, to ...age.Recipient) []byte {
	t.Helper()
	var file bytes.Buffer
	err := Write(&file, to, testOrigin, func(take Take) error {
		p := domain.Project{Name: "Pizza\x1b", Voiceflow: "6371c9b4e1a5b2c3d4e5f607", Version: "production", Created: time.Unix(0, 0)}
		q := p
		q.Name, q.Version = "Trains", "main"
		return errors.Join(
			take(p, map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret(canary), domain.SlotSecondary: domain.NewSecret("second")}),
			take(q, map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret("k")}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file.Bytes(), []byte("canary")) || bytes.Contains(file.Bytes(), []byte("Pizza")) {
		t.Error("the file shows what is in it")
	}
	return file.Bytes()
}

func TestASealedFileIsOpenedByEachOfItsRecipients(t *testing.T) {
	ada, ben := identity(t), identity(t)
	file := sealedFile(t, ada.Recipient(), ben.Recipient())
	for _, id := range []age.Identity{ada, ben} {
		wantEntries(t, NewReader([]age.Identity{identity(t), id}, testOrigin), string(file),
			`"Pizza\x1b"|production|VF.DM.canary+second||6371c9b4e1a5b2c3d4e5f607`, "Trains|main|k||6371c9b4e1a5b2c3d4e5f607")
	}
	wantEntries(t, NewReader([]age.Identity{identity(t)}, testOrigin), string(file), "ends: the identity does not open the file")
	wantEntries(t, NewReader([]age.Identity{ada}, "https://other.test"), string(file),
		"ends: the keys in the file are for Voiceflow at https://voiceflow.test, and this installation sends keys to https://other.test")
}

func TestASealedFileThatWasAlteredIsRefused(t *testing.T) {
	id := identity(t)
	file := sealedFile(t, id.Recipient())
	read := NewReader([]age.Identity{id}, testOrigin)
	refused := func(what string, altered []byte) {
		t.Helper()
		err := read(bytes.NewReader(altered), func(importlist.Entry) error { return nil })
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got error %v", what, err)
		}
	}
	for i := range file {
		altered := bytes.Clone(file)
		altered[i] ^= 1
		refused(fmt.Sprintf("byte %d is another", i), altered)
		refused(fmt.Sprintf("cut at %d", i), file[:i])
	}
	refused("something is behind it", append(bytes.Clone(file), 'x'))
}

// sealedText returns an age file with that text in it.
func sealedText(t testing.TB, to age.Recipient, text string) string {
	t.Helper()
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

const sealedHeadLine = `{"format":"flowlatch-projects","version":1,"voiceflow_origin":"https://voiceflow.test"}` + "\n"

func TestASealedFileOfSomethingElseIsRefused(t *testing.T) {
	id := identity(t)
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"no JSON", "hello " + canary, []string{"ends: line 1 is not valid JSON"}},
		{"nothing", "", []string{"ends: the file ends in the middle"}},
		{"an array", "[]", []string{"ends: the file was not written by project export"}},
		{"another format", `{"format":"flowlatch-backup","version":1,"voiceflow_origin":""}`, []string{"ends: the file was not written by project export"}},
		{"a later version", `{"format":"flowlatch-projects","version":4}`, []string{"ends: the file is of version 4, and this program reads versions 1 to 3"}},
		{"no version", `{"format":"flowlatch-projects"}`, []string{"ends: the file is of version 0"}},
		{"an assistant of version 1", sealedHeadLine + `{"version_id":"v","name":"N","keys":{"primary":"k"}}`, []string{"N|v|k||"}},
		{"environments that can't be read", sealedHeadLine + `{"name":"N","environments":{"allowed":"` + canary + `"}}`, []string{"an assistant: a member is of the wrong type"}},
		{"no assistants", sealedHeadLine, nil},
		{"a member that is not known", sealedHeadLine + `{"` + canary + `":1}`, []string{"an assistant: it has an unknown member"}},
		{"a slot that is not known", sealedHeadLine + `{"name":"N","keys":{"` + canary + `":"k"}}`, []string{"N: it has a key in an unknown slot"}},
		{"an array in place of an assistant", sealedHeadLine + "]", []string{"ends: line 2 is not valid JSON"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantEntries(t, NewReader([]age.Identity{id}, testOrigin), sealedText(t, id.Recipient(), tc.text), tc.want...)
		})
	}
	wantEntries(t, NewReader([]age.Identity{id}, testOrigin), "version_id,token\n", "ends: the file was altered or cut, or project export did not write it")
}

func TestASealedFileHasThePictureOrigins(t *testing.T) {
	id := identity(t)
	var file bytes.Buffer
	err := Write(&file, []age.Recipient{id.Recipient()}, testOrigin, func(take Take) error {
		keys := map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret("k")}
		with := domain.Project{Version: "v", PictureOrigins: []domain.Origin{"https://cdn.example.com", "https://192.0.2.7:8443"}}
		return errors.Join(take(with, keys), take(domain.Project{Version: "v"}, keys))
	})
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	read := NewReader([]age.Identity{id}, testOrigin)
	if err := read(&file, func(e importlist.Entry) error {
		got = append(got, e.PictureOrigins)
		return e.Err
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !slices.Equal(got[0], []string{"https://cdn.example.com", "https://192.0.2.7:8443"}) || got[1] != nil {
		t.Errorf("got %q", got)
	}
}

func TestASealedFileHasTheEnvironments(t *testing.T) {
	all := []domain.Environments{
		{}, {Default: "main", Allowed: []string{"dev", "main"}, AllowDraft: []string{"dev"}}, {Default: "main", All: true},
	}
	id := identity(t)
	var file bytes.Buffer
	err := Write(&file, []age.Recipient{id.Recipient()}, testOrigin, func(take Take) error {
		var errs []error
		for _, e := range all {
			errs = append(errs, take(domain.Project{Version: "v", Environments: e}, map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret("k")}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = NewReader([]age.Identity{id}, testOrigin)(&file, func(e importlist.Entry) error {
		want := all[0]
		all = all[1:]
		if e.Err != nil || (e.Environments == nil) != want.Pinned() {
			t.Errorf("got %+v, want %+v", e.Environments, want)
			return nil
		}
		if e.Environments != nil {
			if got, err := domain.ParseEnvironments(*e.Environments, e.Version); err != nil || !got.Equal(want) {
				t.Errorf("got %+v and error %v, want %+v", got, err, want)
			}
		}
		return nil
	})
	if err != nil || len(all) != 0 {
		t.Errorf("%d are left, and got error %v", len(all), err)
	}
}

func FuzzReader(f *testing.F) {
	id := identity(f)
	f.Add(`{"name":"N","keys":{"primary":"KEY"}}`)
	f.Add(`{"version_id":"v","keys":{"secondary":"KEY","KEY":"KEY"}} KEY`)
	f.Fuzz(func(t *testing.T, text string) {
		sealed := sealedText(t, id.Recipient(), sealedHeadLine+strings.ReplaceAll(text, "KEY", canary))
		err := NewReader([]age.Identity{id}, testOrigin)(strings.NewReader(sealed), func(e importlist.Entry) error {
			if e.Err != nil && strings.Contains(e.Err.Error(), "canary") {
				t.Error(e.Err)
			}
			return nil
		})
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Error(err)
		}
	})
}

func TestParseRecipientsDoesNotRepeatThem(t *testing.T) {
	good, secret := identity(t).Recipient().String(), identity(t).String()
	if got, err := ParseRecipients([]string{good, good}); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "# " + good, good + "\n" + good, secret, canary, "age1canary", good + "x", "ssh-ed25519 AAAA"} {
		_, err := ParseRecipients([]string{good, text})
		if err == nil || !strings.Contains(err.Error(), "recipient 2 is not a public key") {
			t.Errorf("%q: got error %v", text, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats what was given: %v", err)
		}
	}
}
