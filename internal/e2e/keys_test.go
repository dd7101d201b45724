package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flowlatch/flowlatch/internal/vaulttest"
)

// rotated returns the key that the output of a rotation names.
func rotated(t *testing.T, said string) string {
	t.Helper()
	_, rest, _ := strings.Cut(said, "key ")
	key, _, _ := strings.Cut(rest, " ")
	if key == "" {
		t.Fatalf("no key in %q", said)
	}
	return strings.TrimSuffix(key, "\n")
}

// primaryKey returns the current key of the keyset in that file, which is not wrapped.
func primaryKey(t *testing.T, keyset string) string {
	t.Helper()
	text, err := os.ReadFile(keyset)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		PrimaryKeyID uint32 `json:"primaryKeyId"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(file.PrimaryKeyID), 10)
}

// TestKeysRotateWhileTwoInstancesServe calls both instances with an older cookie while two
// rotations run at the same time.
func TestKeysRotateWhileTwoInstancesServe(t *testing.T) {
	eachDatabase(t, rotateWhileServing)
}

func rotateWhileServing(t *testing.T, database string) {
	a := newAssistant("Pizza Palace")
	m := newMachine(t, startVoiceflow(t, a)).with("FLOWLATCH_DATABASE_URL", database)
	one := serving(t, m)
	two := m.start("serve")
	admin := one.admin()
	admin.want(admin.post("/add_project", adding(a)), "200")
	was := admin.sealedBy("user_session")
	keyset := filepath.Join(m.data(), "keyset.json")
	before, err := os.ReadFile(keyset)
	if err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var asking sync.WaitGroup
	for _, s := range []*server{one, two} {
		b := admin.at(s.url)
		asking.Go(func() {
			repeat(stop, func() {
				if got, err := b.try("GET", "/get_projects", nil); err != nil || got.String() != "200" {
					t.Errorf("with the cookie of before: got %v and error %v, want 200", got, err)
				}
			})
		})
	}
	said := make([]string, 2)
	var rotating sync.WaitGroup
	for i := range said {
		rotating.Go(func() { said[i] = m.must("", "keys", "rotate") })
	}
	rotating.Wait()
	keys := []string{rotated(t, said[0]), rotated(t, said[1])}
	if keys[0] == keys[1] || keys[0] == was || keys[1] == was {
		t.Errorf("two rotations made the keys %q, with %s before, want two new ones", keys, was)
	}
	// One rotation follows the other, so an instance may seal with the first new key for a second.
	last := primaryKey(t, keyset)
	if !slices.Contains(keys, last) {
		t.Errorf("the keyset seals with %s, want one of %q", last, keys)
	}
	for name, s := range map[string]*server{"one": one, "two": two} {
		eventually(t, name+" seals with the key of the last rotation", func() bool { return s.admin().sealedBy("user_session") == last })
	}
	for _, s := range []*server{one, two} {
		admin.at(s.url).want(admin.at(s.url).get("/readyz"), "200")
	}
	// The other instance opens what one instance seals with the new key.
	fresh := one.admin()
	fresh.want(fresh.post("/set_project", body{"project_id": a.ProjectID}), "200")
	fresh.at(two.url).want(fresh.at(two.url).get("/check_session"), "200")
	close(stop)
	asking.Wait()
	one.stop()
	two.stop()

	m.start("serve").stop()
	after, err := os.ReadFile(keyset)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyset, before, 0o600); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "the keyset is not the one of this database; set the keyset that has key ", "", "serve")
	m.fails(exitFailure, "the keyset is not the one of this database", "", "keys", "rotate")
	if err := os.WriteFile(keyset, after, 0o600); err != nil {
		t.Fatal(err)
	}
	m.start("serve").stop()
}

// TestKeysRotateByHand rotates a keyset in a variable, step by step.
func TestKeysRotateByHand(t *testing.T) {
	m, a := withOneAssistant(t)
	copied := filepath.Join(m.folder, "copy.json")
	if err := os.Rename(filepath.Join(m.data(), "keyset.json"), copied); err != nil {
		t.Fatal(err)
	}
	variable := func() *machine {
		t.Helper()
		text, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		return m.with("FLOWLATCH_KEYSET", string(text))
	}
	first := variable()
	first.fails(exitFailure, "the keyset in the variable FLOWLATCH_KEYSET is not changed by this program; change a copy by hand", "", "keys", "rotate")
	s := first.start("serve")
	admin := s.admin()
	was := admin.sealedBy("user_session")

	key := rotated(t, m.must("", "keys", "rotate", "--by-hand", copied))
	second := variable()
	there := second.start("serve")
	if got := there.admin().sealedBy("user_session"); got != was {
		t.Errorf("after the first step %s seals, want %s as before", got, was)
	}
	if got := rotated(t, m.must("", "keys", "rotate", "--by-hand", copied)); got != key {
		t.Errorf("the second step is about key %s, want %s", got, key)
	}
	third := variable().start("serve")
	fresh := third.admin()
	if got := fresh.sealedBy("user_session"); got != key {
		t.Errorf("after the second step %s seals, want %s", got, key)
	}
	fresh.at(there.url).want(fresh.at(there.url).get("/get_projects"), "200")
	admin.at(third.url).want(admin.at(third.url).post("/set_project", body{"project_id": a.ProjectID}), "200")
	s.stop()
	there.stop()
	third.stop()
	first.fails(exitFailure, "the keyset is not the one of this database", "", "serve")
	second.start("serve").stop()

	variable().must("", "keys", "rewrap")
	gone := was
	if _, err := strconv.ParseUint(gone, 10, 32); err != nil {
		t.Fatalf("%q is no id of a key", gone)
	}
	m.fails(exitFailure, "--by-hand needs the id of one key", "", "keys", "retire", "--by-hand", copied)
	m.must("", "keys", "retire", gone, "--by-hand", copied)
	m.fails(exitFailure, gone, "", "keys", "retire", gone, "--by-hand", copied)
	fourth := variable().start("serve")
	fourth.admin()
	admin.at(fourth.url).want(admin.at(fourth.url).get("/get_projects"), "200") // it was used since, so it has a new cookie
	m.fails(exitFailure, "does not exist", "", "keys", "rotate", "--by-hand", "nothing.json")
}

func TestAKeysetThatVaultWraps(t *testing.T) {
	v := vaulttest.Start(t)
	m, a := withOneAssistant(t)
	token := filepath.Join(m.folder, "token")
	if err := os.WriteFile(token, []byte(vaulttest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keyset := filepath.Join(m.data(), "keyset.json")
	wrapped := m.with("FLOWLATCH_KEYSET_KMS", v.Transit("keyset"), "FLOWLATCH_KEYSET_KMS_TOKEN_FILE", token)
	wrapped.fails(exitFailure, "is not wrapped, but a key that wraps it is set; 'flowlatch keys new --from CLEAR FILE'", "", "serve")
	m.fails(exitFailure, "--from wraps a keyset; set FLOWLATCH_KEYSET_KMS", "", "keys", "new", "--from", keyset, "wrapped.json")
	wrapped.must("", "keys", "new", "--from", keyset, "wrapped.json")
	if err := os.Rename(filepath.Join(m.folder, "wrapped.json"), keyset); err != nil {
		t.Fatal(err)
	}
	m.fails(exitFailure, "is wrapped, but no key that unwraps it is set", "", "serve")

	s := wrapped.start("serve")
	admin := s.admin()
	was := admin.sealedBy("user_session")
	key := rotated(t, wrapped.must("", "keys", "rotate"))
	eventually(t, "it seals with the new key", func() bool { return s.admin().sealedBy("user_session") == key })
	admin.want(admin.post("/set_project", body{"project_id": a.ProjectID}), "200")
	s.stop()
	if text, err := os.ReadFile(keyset); err != nil || !strings.Contains(string(text), "encryptedKeyset") || strings.Contains(string(text), `"keyData"`) {
		t.Errorf("after a rotation the keyset is not wrapped (%v)", err)
	}
	if was == key {
		t.Error("the rotation made no new key")
	}

	wrapped.with("FLOWLATCH_KEYSET_KMS", v.Transit("other")).fails(exitFailure, "can't be unwrapped with the key that is set: Vault at "+v.Host(), "", "serve")
	wrapped.with("FLOWLATCH_KEYSET_KMS_TOKEN_FILE", "", "FLOWLATCH_KEYSET_KMS_TOKEN", "hvs.wrong").fails(exitFailure, "status 403", "", "serve")
	v.Close()
	wrapped.fails(exitFailure, "Vault at "+v.Host()+" does not answer", "", "serve")
	wrapped.fails(exitFailure, "Vault at "+v.Host()+" does not answer", "", "project", "list")
	wrapped.fails(exitFailure, "Vault at "+v.Host()+" does not answer", "", "keys", "new", "another.json")
	if strings.Contains(m.said.String(), vaulttest.Token) {
		t.Error("the token was printed")
	}
}
