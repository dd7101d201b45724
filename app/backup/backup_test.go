package backup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/flowlatch/flowlatch/adapters/memory"
	"github.com/flowlatch/flowlatch/app/backup"
	"github.com/flowlatch/flowlatch/app/keyset"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/testworld"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// world is an installation that can be backed up.
type world struct {
	*testworld.World
	keys *keyset.Keyset
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: testworld.New(t)}
	store := w.Store.Ports()
	var err error
	w.keys, err = keyset.Open(t.Context(), keyset.Ports{
		Installation: store.Installation, Sealings: store.Sealings, Projects: store.Projects, Sessions: store.Sessions, Audit: store.Audit,
		Cipher: w.Cipher, Keyring: w.Cipher, Pseudonyms: w.Pseudonyms, Origins: testworld.Origins(), Clock: w.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// furnishedWorld has two projects, a member with a grant, and an access token.
func furnishedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	p := w.Project(t, "Bot <&> 句")
	w.Project(t, "Another")
	w.User(t, "ben", domain.RoleMember, p.ID)
	w.Token(t, p)
	return w
}

// write writes a backup.
func (w *world) write(ctx context.Context, call domain.Call, to io.Writer) (backup.Info, error) {
	from := backup.Source{Archive: w.Store.Archive(), Audit: w.Store.Ports().Audit, Keyset: w.keys, Clock: w.Now}
	return backup.Write(ctx, from, call, to)
}

// backup is a backup file of w.
func (w *world) backup(t *testing.T) ([]byte, backup.Info) {
	t.Helper()
	var file bytes.Buffer
	info, err := w.write(t.Context(), w.Admin, &file)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), info
}

// target is where a backup of w may be restored: an empty store on the same keyset.
func (w *world) target() (*memory.Store, backup.Ports) {
	store := memory.New(w.Now)
	cipher := w.Cipher.Another()
	return store, backup.Ports{Cipher: cipher, Keyring: cipher, Origins: testworld.Origins(), Clock: w.Now}
}

// restore opens a backup and restores it into store.
func restore(t *testing.T, p backup.Ports, file []byte, store *memory.Store) error {
	t.Helper()
	b, err := backup.Open(t.Context(), p, bytes.NewReader(file))
	if err != nil {
		return err
	}
	return b.Restore(t.Context(), store.Archive())
}

// rowsOf is everything in a store, as text.
func rowsOf(t *testing.T, store *memory.Store) []string {
	t.Helper()
	var rows []string
	err := store.Archive().Snapshot(t.Context(), func(row archive.Row) error {
		for i, value := range row.Values {
			if secret, ok := value.(domain.Secret); ok {
				row.Values[i] = secret.Reveal()
			}
		}
		rows = append(rows, fmt.Sprintf("%s %q", row.Table, row.Values))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestABackupIsRestored(t *testing.T) {
	w := furnishedWorld(t)
	file, info := w.backup(t)
	w.After(time.Hour)
	store, p := w.target()
	b, err := backup.Open(t.Context(), p, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(b.Info.Rows, info.Rows) || !slices.Equal(b.Info.Keys, info.Keys) || !b.Info.Created.Equal(info.Created) ||
		b.Info.Origin != info.Origin {
		t.Errorf("opened %+v, want %+v", b.Info, info)
	}
	if info.Rows["projects"] != 2 || info.Rows["users"] != 2 || info.Rows["grants"] != 1 || info.Rows["access_tokens"] != 1 ||
		len(info.Keys) != 1 {
		t.Errorf("the backup says %+v", info)
	}
	if err := b.Restore(t.Context(), store.Archive()); err != nil {
		t.Fatal(err)
	}
	before, after := rowsOf(t, w.Store), rowsOf(t, store)
	if restored := slices.DeleteFunc(slices.Clone(after), func(row string) bool { return strings.Contains(row, `"restore" "backup:`) }); len(after) != len(before)+1 ||
		!slices.Equal(restored, before) {
		t.Errorf("restored\n%s\nfrom\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	records := store.Records()
	first, last := records[len(records)-2], records[len(records)-1]
	if first.Action != domain.ActionBackup || last.Action != domain.ActionRestore || first.Object != last.Object ||
		!strings.HasPrefix(first.Object, "backup:2030-01-02T") || last.Actor != domain.ActorOperator || last.RequestID == "" || last.Count != 1 {
		t.Errorf("the last records are %+v and %+v", first, last)
	}
}

func TestOnlyAnAdminMakesABackup(t *testing.T) {
	w := furnishedWorld(t)
	var file bytes.Buffer
	_, err := w.write(t.Context(), w.Member(), &file)
	testworld.WantKind(t, err, domain.NotAllowed)
	if file.Len() > 0 {
		t.Error("something was written")
	}
}

func TestABackupThatCannotBeWrittenFails(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	for _, limit := range []int{0, 100, len(file) - 1} {
		_, err := w.write(t.Context(), w.Admin, &full{left: limit})
		testworld.WantKind(t, err, domain.Unavailable)
	}
	w.Store.Break()
	_, err := w.write(t.Context(), w.Admin, io.Discard)
	testworld.WantKind(t, err, domain.Unavailable)
}

// full is a disk with so many bytes left.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return 0, testworld.ErrBoom
	}
	f.left -= len(b)
	return len(b), nil
}

// TestEveryChangedByteIsRefused changes each byte of a backup, leaves it out, and cuts the
// file there. Nothing is written then.
func TestEveryChangedByteIsRefused(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	store, p := w.target()
	refused := func(what string, file []byte) {
		t.Helper()
		switch kind := domain.KindOf(restore(t, p, file, store)); kind {
		case domain.Corrupt, domain.Conflict:
		default:
			t.Errorf("%s: got kind %q, want a refusal", what, kind)
		}
	}
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= []byte{1, 0x20, 0x80}[i%3] // another character, the other case, none of ASCII
		refused(fmt.Sprintf("byte %d changed, in …%q…", i, file[max(0, i-20):min(len(file), i+20)]), changed)
		refused(fmt.Sprintf("cut to %d bytes", i), file[:i])
		refused(fmt.Sprintf("without byte %d", i), slices.Delete(bytes.Clone(file), i, i+1))
	}
	lines := bytes.SplitAfter(file, []byte("\n"))
	for i := range lines[:len(lines)-1] {
		refused(fmt.Sprintf("without line %d", i), bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		refused(fmt.Sprintf("with line %d twice", i), bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
	}
	for _, more := range []string{"\n", " ", "{}\n", string(file)} {
		refused("with more after it", append(bytes.Clone(file), more...))
	}
	refused("with an endless line", bytes.Repeat([]byte("x"), 3<<20))
	if rows := rowsOf(t, store); len(rows) != 0 {
		t.Errorf("something was stored: %q", rows)
	}
	testworld.WantKind(t, restore(t, p, file, store), "") // the file itself is good
}

// TestASealOfAnotherFileIsRefused has a file that is right in itself, with digest and seal
// of the keyset, but not of this content.
func TestASealOfAnotherFileIsRefused(t *testing.T) {
	w := furnishedWorld(t)
	one, _ := w.backup(t)
	w.Project(t, "A third")
	two, _ := w.backup(t)
	cut := func(file []byte) (rest, seal []byte) {
		at := bytes.LastIndexByte(file[:len(file)-1], '\n') + 1
		return file[:at], file[at:]
	}
	rest, _ := cut(one)
	_, seal := cut(two)
	store, p := w.target()
	testworld.WantKind(t, restore(t, p, append(bytes.Clone(rest), seal...), store), domain.Corrupt)
}

func TestABackupWantsItsKeyset(t *testing.T) {
	w := furnishedWorld(t)
	first := w.Cipher.Keys()[0]
	second := w.Rotate(t)
	file, info := w.backup(t)
	if want := []domain.KeyID{first, second}; !slices.Equal(info.Keys, slices.Sorted(slices.Values(want))) {
		t.Errorf("the backup takes %v, want %v", info.Keys, want)
	}
	store, p := w.target()

	foreign, lost := memory.NewCipher(), memory.NewCipher()
	if err := foreign.Prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(p *backup.Ports)
		kind   domain.Kind
		says   []string
	}{
		"another keyset": {func(p *backup.Ports) { p.Cipher, p.Keyring = foreign, foreign }, domain.Corrupt, []string{string(first), string(second), "lacks"}},
		"no keyset":      {func(p *backup.Ports) { p.Cipher, p.Keyring = lost, lost }, domain.Corrupt, []string{string(first), string(second), "has ended"}},
		"another Voiceflow": {func(p *backup.Ports) { p.Origins[domain.ServiceAPI] = "https://other.test" }, domain.Conflict,
			[]string{"https://other.test", "https://api.voiceflow.test"}},
		"another runtime": {func(p *backup.Ports) { p.Origins[domain.ServiceRuntime] = "https://other.test" }, domain.Conflict,
			[]string{"this backup", "general-runtime", "https://other.test", "https://runtime.voiceflow.test", "and confirm the change after the restore"}},
		"another realtime-api": {func(p *backup.Ports) { p.Origins[domain.ServiceRealtime] = "https://other.test" }, domain.Conflict,
			[]string{"realtime-api", "https://other.test"}},
	} {
		p := p
		p.Origins = testworld.Origins()
		tc.change(&p)
		err := restore(t, p, file, store)
		testworld.WantKind(t, err, tc.kind)
		for _, text := range tc.says {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error %q does not say %q", name, err, text)
			}
		}
	}
	if _, err := w.Cipher.Retire(t.Context(), []domain.KeyID{first}, func([]domain.KeyID) error { return nil }); err != nil {
		t.Fatal(err)
	}
	err := restore(t, p, file, store)
	testworld.WantKind(t, err, domain.Corrupt)
	if err == nil || !strings.Contains(err.Error(), "lacks "+string(first)) {
		t.Errorf("the error %q does not say that key %s is missing", err, first)
	}
	if rows := rowsOf(t, store); len(rows) != 0 {
		t.Errorf("something was stored: %q", rows)
	}
}

// TestWhatIsLostAlreadyKeepsNothingFromBeingRestored has a project whose key was sealed
// with a key that the keyset no longer has.
func TestWhatIsLostAlreadyKeepsNothingFromBeingRestored(t *testing.T) {
	w := newWorld(t)
	lost := domain.Sealed{Key: "lost", Bytes: []byte("sealed")}
	p := domain.Project{
		ID: "01890000-0000-7000-8000-000000000001", Name: "Bot", Voiceflow: "6371c9b4e1a5b2c3d4e5f607", Version: "6371c9b4e1a5b2c3d4e5f6aa",
		Primary: domain.Key{Sealed: lost, Status: domain.KeyNeedsReentry}, Secondary: domain.Key{Status: domain.KeyNone}, Personal: domain.Key{Status: domain.KeyNone}, Credits: domain.CreditsOK,
	}
	if err := w.Store.Ports().Projects.Add(t.Context(), w.Operator().Act(w.Now(), domain.NeedsAdmin(), domain.ActionAddProject, domain.OnProject(p.ID)), p); err != nil {
		t.Fatal(err)
	}
	file, info := w.backup(t)
	if slices.Contains(info.Keys, lost.Key) {
		t.Errorf("the backup takes %v, with the key that is lost", info.Keys)
	}
	store, ports := w.target()
	testworld.WantKind(t, restore(t, ports, file, store), "")
	found, err := store.Ports().Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: p.ID})
	if err != nil || len(found) != 1 || found[0].Primary.Sealed.Key != lost.Key {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestABackupIsRestoredWhereNobodyIs(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	_, p := w.target()
	before := rowsOf(t, w.Store)
	testworld.WantKind(t, restore(t, p, file, w.Store), domain.Conflict)
	if !slices.Equal(rowsOf(t, w.Store), before) {
		t.Error("something was changed")
	}
}

func TestABackupOfANewerProgramIsRefused(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	store, p := w.target()
	newer := bytes.Replace(file, fmt.Appendf(nil, `"version":%d,`, archive.Version), fmt.Appendf(nil, `"version":%d,"more":true,`, archive.Version+1), 1)
	err := restore(t, p, newer, store)
	testworld.WantKind(t, err, domain.Conflict)
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("the error %q does not say that it takes a newer program", err)
	}
}

func TestAFileThatChangesAfterItWasOpenedIsNotRestored(t *testing.T) {
	w := furnishedWorld(t)
	one, _ := w.backup(t)
	w.Project(t, "A third")
	two, _ := w.backup(t)
	for name, later := range map[string][]byte{"another good one": two, "a cut one": one[:len(one)-1], "nothing": nil} {
		store, p := w.target()
		file := &swapped{ReadSeeker: bytes.NewReader(one), later: later}
		b, err := backup.Open(t.Context(), p, file)
		if err != nil {
			t.Fatal(err)
		}
		testworld.WantKind(t, b.Restore(t.Context(), store.Archive()), domain.Corrupt)
		if rows := rowsOf(t, store); len(rows) != 0 {
			t.Errorf("%s: something was stored: %q", name, rows)
		}
	}
}

// swapped is another file as soon as it is read for the second time.
type swapped struct {
	io.ReadSeeker
	later []byte
}

func (s *swapped) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		s.ReadSeeker = bytes.NewReader(s.later)
	}
	return s.ReadSeeker.Seek(offset, whence)
}

func TestABackupThatCannotBeReadIsNotCalledDamaged(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	_, p := w.target()
	for _, n := range []int64{0, 10, 2000, int64(len(file))} {
		broken := struct {
			io.Reader
			io.Seeker
		}{io.MultiReader(io.LimitReader(bytes.NewReader(file), n), iotest.ErrReader(testworld.ErrBoom)), bytes.NewReader(file)}
		_, err := backup.Open(t.Context(), p, broken)
		testworld.WantKind(t, err, domain.Unavailable)
		if !errors.Is(err, testworld.ErrBoom) {
			t.Errorf("got error %v, want the cause in it", err)
		}
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	_, err := backup.Open(left, p, bytes.NewReader(file))
	testworld.WantKind(t, err, domain.Unavailable)
}

func TestABackupShowsNoKey(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	if bytes.Contains(file, []byte("VF.DM.")) || !bytes.Contains(file, []byte("Another")) {
		t.Error("the key is in the backup, or nothing is")
	}
}

func TestARestoredBackupHasNoSessions(t *testing.T) {
	w := furnishedWorld(t)
	login := w.Login(t, w.Admin.Caller.ID, domain.RoleAdmin).Caller.Login
	sessions := func(store *memory.Store) int {
		t.Helper()
		all, err := store.Ports().Sessions.Page(t.Context(), login.User, domain.Cursor{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	c := domain.Conversation{
		ID: "01890000-0000-7000-8001-000000000001", Project: w.Project(t, "Third").ID, UserID: "customer-7",
		Key: domain.Sealed{Key: w.Cipher.Keys()[0], Bytes: []byte("x")}, Expires: w.Now().Add(time.Hour),
	}
	if err := w.Store.Ports().Conversations.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	file, _ := w.backup(t)
	if strings.Contains(string(file), c.UserID) {
		t.Error("the user of a conversation is in the backup")
	}
	store, p := w.target()
	if err := restore(t, p, file, store); err != nil {
		t.Fatal(err)
	}
	if before, after := sessions(w.Store), sessions(store); before == 0 || after != 0 {
		t.Errorf("the admin had %d sessions, and has %d after the restore, want some and none", before, after)
	}
}

// FuzzOpen gives files of all sorts to Open. It accepts only the file that it begins with.
func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	var file bytes.Buffer
	if _, err := w.write(f.Context(), w.Operator(), &file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	lines := bytes.SplitAfter(file.Bytes(), []byte("\n"))
	f.Add(lines[0])
	f.Add(bytes.Join(lines[:len(lines)-2], nil))
	f.Add([]byte(`{"format":"flowlatch backup","version":1,"created":"2030-01-02T03:04:05Z","origin":"x"}
{"table":"audit","row":{"id":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, p := w.target()
		_, err := backup.Open(t.Context(), p, bytes.NewReader(text))
		if same := bytes.Equal(text, file.Bytes()); same != (err == nil) {
			t.Errorf("the same file is %v, error %v", same, err)
		}
		if kind := domain.KindOf(err); err != nil && kind != domain.Corrupt && kind != domain.Conflict {
			t.Errorf("got kind %q: %v", kind, err)
		}
	})
}

func TestABackupTakesAllOfItsSource(t *testing.T) {
	w := furnishedWorld(t)
	if _, err := backup.Write(t.Context(), backup.Source{}, w.Admin, io.Discard); err == nil || domain.KindOf(err) != "" {
		t.Errorf("got error %v, want one of no kind", err)
	}
}
