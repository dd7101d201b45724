package app_test

import (
	"bytes"
	"context"
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
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// furnishedWorld has two projects, a member with a grant, and an access token.
func furnishedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	p := w.project(t, "Bot <&> 句", versionID)
	w.project(t, "Another", "6371c9b4e1a5b2c3d4e5f6ab")
	w.user(t, w.admin, "ben", "member", string(p.ID))
	if _, err := w.CreateAccessToken(t.Context(), w.admin, app.CreateAccessToken{Name: "token", Project: string(p.ID)}); err != nil {
		t.Fatal(err)
	}
	return w
}

// backup is a backup file of w.
func (w *world) backup(t *testing.T) ([]byte, app.BackupInfo) {
	t.Helper()
	var file bytes.Buffer
	info, err := w.Backup(t.Context(), w.admin, &file)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), info
}

// target is where a backup of w may be restored: an empty store on the same keyset.
func (w *world) target() (*memory.Store, app.Ports) {
	store := memory.New(w.now)
	cipher := w.cipher.Another()
	return store, app.Ports{Cipher: cipher, Keyring: cipher, Voiceflow: w.voiceflow, Clock: w.now}
}

// restore opens a backup and restores it into store.
func restore(t *testing.T, p app.Ports, file []byte, store *memory.Store) error {
	t.Helper()
	b, err := app.OpenBackup(t.Context(), p, bytes.NewReader(file))
	if err != nil {
		return err
	}
	return b.Restore(t.Context(), store.Archive())
}

// rowsOf is everything in a store, as text.
func rowsOf(t *testing.T, store *memory.Store) []string {
	t.Helper()
	var rows []string
	err := store.Archive().Snapshot(t.Context(), func(row domain.ArchiveRow) error {
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
	w.after(time.Hour)
	store, p := w.target()
	b, err := app.OpenBackup(t.Context(), p, bytes.NewReader(file))
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
	before, after := rowsOf(t, w.store), rowsOf(t, store)
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

	// A service starts on it, and its users log in.
	w.store = store
	w.Service = w.open(t, w.ports())
	if got := w.isSet(t, w.admin, ""); got != "" {
		t.Errorf("an assistant is set: %s", got)
	}
	call, _ := w.login(t, "ada", false)
	page, err := w.GetProjects(t.Context(), call, domain.Cursor{}, 10)
	if err != nil || len(page.Items) != 2 {
		t.Errorf("got %v, %v; want two projects", page.Items, err)
	}
}

func TestOnlyAnAdminMakesABackup(t *testing.T) {
	w := furnishedWorld(t)
	member, _ := w.login(t, "ben", false)
	var file bytes.Buffer
	_, err := w.Backup(t.Context(), member, &file)
	wantKind(t, err, domain.NotAllowed)
	if file.Len() > 0 {
		t.Error("something was written")
	}
}

func TestABackupThatCannotBeWrittenFails(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	for _, limit := range []int{0, 100, len(file) - 1} {
		_, err := w.Backup(t.Context(), w.admin, &full{left: limit})
		wantKind(t, err, domain.Unavailable)
	}
	w.store.Break()
	_, err := w.Backup(t.Context(), w.admin, io.Discard)
	wantKind(t, err, domain.Unavailable)
}

// full is a disk with so many bytes left.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return 0, errBoom
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
		refused("with more behind it", append(bytes.Clone(file), more...))
	}
	refused("with an endless line", bytes.Repeat([]byte("x"), 3<<20))
	if rows := rowsOf(t, store); len(rows) != 0 {
		t.Errorf("something was stored: %q", rows)
	}
	wantKind(t, restore(t, p, file, store), "") // the file itself is good
}

// TestASealOfAnotherFileIsRefused has a file that is right in itself, with digest and seal
// of the keyset, but not of this content.
func TestASealOfAnotherFileIsRefused(t *testing.T) {
	w := furnishedWorld(t)
	one, _ := w.backup(t)
	w.project(t, "A third", "6371c9b4e1a5b2c3d4e5f6ac")
	two, _ := w.backup(t)
	cut := func(file []byte) (rest, seal []byte) {
		at := bytes.LastIndexByte(file[:len(file)-1], '\n') + 1
		return file[:at], file[at:]
	}
	rest, _ := cut(one)
	_, seal := cut(two)
	store, p := w.target()
	wantKind(t, restore(t, p, append(bytes.Clone(rest), seal...), store), domain.Corrupt)
}

func TestABackupWantsItsKeyset(t *testing.T) {
	w := furnishedWorld(t)
	first := w.cipher.Keys()[0]
	second, err := w.cipher.Rotate(t.Context(), func(func(domain.Secret, domain.Binding) (domain.Sealed, error)) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
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
		change func(p *app.Ports)
		kind   domain.Kind
		says   []string
	}{
		"another keyset": {func(p *app.Ports) { p.Cipher, p.Keyring = foreign, foreign }, domain.Corrupt, []string{string(first), string(second), "has not"}},
		"no keyset":      {func(p *app.Ports) { p.Cipher, p.Keyring = lost, lost }, domain.Corrupt, []string{string(first), string(second), "gone"}},
		"another Voiceflow": {func(p *app.Ports) { p.Voiceflow = &voiceflow{origin: "https://other.test"} }, domain.Conflict,
			[]string{"https://other.test", "https://api.voiceflow.test"}},
	} {
		p := p
		tc.change(&p)
		err := restore(t, p, file, store)
		wantKind(t, err, tc.kind)
		for _, text := range tc.says {
			if err != nil && !strings.Contains(err.Error(), text) {
				t.Errorf("%s: the error %q does not say %q", name, err, text)
			}
		}
	}
	if _, err := w.cipher.Retire(t.Context(), []domain.KeyID{first}, func([]domain.KeyID) error { return nil }); err != nil {
		t.Fatal(err)
	}
	err = restore(t, p, file, store)
	wantKind(t, err, domain.Corrupt)
	if err == nil || !strings.Contains(err.Error(), "has not "+string(first)) {
		t.Errorf("the error %q does not say that key %s is missing", err, first)
	}
	if rows := rowsOf(t, store); len(rows) != 0 {
		t.Errorf("something was stored: %q", rows)
	}
}

// TestWhatIsLostAlreadyKeepsNothingFromBeingRestored has a project whose key was sealed
// with a key that the keyset has no more.
func TestWhatIsLostAlreadyKeepsNothingFromBeingRestored(t *testing.T) {
	w := newWorld(t)
	lost := domain.Sealed{Key: "lost", Bytes: []byte("sealed")}
	p := domain.Project{
		ID: "01890000-0000-7000-8000-000000000001", Name: "Bot", Voiceflow: voiceflowID, Version: versionID,
		Primary: domain.Key{Sealed: lost, Status: domain.KeyNeedsReentry}, Secondary: domain.Key{Status: domain.KeyNone}, Credits: domain.CreditsOK,
	}
	if err := w.store.Ports().Projects.Add(t.Context(), act(domain.ActionAddProject), p); err != nil {
		t.Fatal(err)
	}
	file, info := w.backup(t)
	if slices.Contains(info.Keys, lost.Key) {
		t.Errorf("the backup takes %v, with the key that is lost", info.Keys)
	}
	store, ports := w.target()
	wantKind(t, restore(t, ports, file, store), "")
	found, err := store.Ports().Projects.Find(t.Context(), domain.Operator().Sees(), domain.ProjectRef{ID: p.ID})
	if err != nil || len(found) != 1 || found[0].Primary.Sealed.Key != lost.Key {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestABackupIsRestoredWhereNobodyIs(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	_, p := w.target()
	before := rowsOf(t, w.store)
	wantKind(t, restore(t, p, file, w.store), domain.Conflict)
	if !slices.Equal(rowsOf(t, w.store), before) {
		t.Error("something was changed")
	}
}

func TestABackupOfANewerProgramIsRefused(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	store, p := w.target()
	newer := bytes.Replace(file, []byte(`"version":2,`), []byte(`"version":3,"more":true,`), 1)
	err := restore(t, p, newer, store)
	wantKind(t, err, domain.Conflict)
	if err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("the error %q does not say that it takes a newer program", err)
	}
}

func TestAFileThatChangesAfterItWasOpenedIsNotRestored(t *testing.T) {
	w := furnishedWorld(t)
	one, _ := w.backup(t)
	w.project(t, "A third", "6371c9b4e1a5b2c3d4e5f6ac")
	two, _ := w.backup(t)
	for name, later := range map[string][]byte{"another good one": two, "a cut one": one[:len(one)-1], "nothing": nil} {
		store, p := w.target()
		file := &swapped{ReadSeeker: bytes.NewReader(one), later: later}
		b, err := app.OpenBackup(t.Context(), p, file)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.Restore(t.Context(), store.Archive()), domain.Corrupt)
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
		}{io.MultiReader(io.LimitReader(bytes.NewReader(file), n), iotest.ErrReader(errBoom)), bytes.NewReader(file)}
		_, err := app.OpenBackup(t.Context(), p, broken)
		wantKind(t, err, domain.Unavailable)
		if !errors.Is(err, errBoom) {
			t.Errorf("got error %v, want the cause in it", err)
		}
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	_, err := app.OpenBackup(left, p, bytes.NewReader(file))
	wantKind(t, err, domain.Unavailable)
}

func TestABackupShowsNoKey(t *testing.T) {
	w := furnishedWorld(t)
	file, _ := w.backup(t)
	if bytes.Contains(file, []byte("VF.DM.key")) || !bytes.Contains(file, []byte("Another")) {
		t.Error("the key is in the backup, or nothing is")
	}
}

// FuzzOpenBackup gives files of all sorts to OpenBackup. None but the one it begins with
// is taken, whose bytes another can't have.
func FuzzOpenBackup(f *testing.F) {
	w := &world{
		at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), voiceflow: &voiceflow{origin: "https://api.voiceflow.test"}, attempts: &attempts{},
		cipher: memory.NewCipher(), pseudonyms: memory.NewPseudonyms(),
	}
	w.store = memory.New(w.now)
	var err error
	if w.Service, err = app.Open(f.Context(), w.ports(), app.Options{}); err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := w.Backup(f.Context(), app.Call{Caller: domain.Operator()}, &file); err != nil {
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
		_, err := app.OpenBackup(t.Context(), p, bytes.NewReader(text))
		if same := bytes.Equal(text, file.Bytes()); same != (err == nil) {
			t.Errorf("the same file is %v, error %v", same, err)
		}
		if kind := domain.KindOf(err); err != nil && kind != domain.Corrupt && kind != domain.Conflict {
			t.Errorf("got kind %q: %v", kind, err)
		}
	})
}
