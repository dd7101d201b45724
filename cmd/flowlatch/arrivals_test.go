package main

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

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

// canary stands wherever a key could, and should show nowhere.
const canary = "VF.DM.canary"

// readings are what a reading makes of text: a line for each arrival, and one for an
// error that ends it.
func readings(read reading, r io.Reader) []string {
	var out []string
	err := read(r, func(a arrival) error {
		if a.err != nil {
			out = append(out, a.place+": "+a.err.Error())
			return nil
		}
		key := a.in.Key.Reveal()
		if !a.secondary.IsZero() {
			key += "+" + a.secondary.Reveal()
		}
		out = append(out, strings.Join([]string{a.place, a.in.Version, key, a.in.Name, a.in.VoiceflowProject}, "|"))
		return nil
	})
	if err != nil {
		out = append(out, "ends: "+err.Error())
	}
	return out
}

func wantReadings(t *testing.T, read reading, text string, want ...string) {
	t.Helper()
	got := readings(read, iotest.OneByteReader(strings.NewReader(text)))
	if whole := readings(read, strings.NewReader(text)); !slices.Equal(got, whole) {
		t.Errorf("read byte by byte it is %q, else %q", got, whole)
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

func TestReadCSV(t *testing.T) {
	long := strings.Repeat("x", 3*maxArrival)
	const header = "ends: the file should begin with a line that names its columns"
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"all columns", "version_id,token,name\nv,k,N\n", []string{"line 2|v|k|N|"}},
		{"without names, and another order", "token,voiceflow_project_id,version_id\nk,p,v", []string{"line 2|v|k||p"}},
		{"as Windows writes it", "\xef\xbb\xbfversion_id,token,name\r\nv,k,N\r\n\r\nw,l,\"M, \"\"x\"\"\"\r\n", []string{"line 2|v|k|N|", `line 4|w|l|M, "x"|`}},
		{"empty lines before it", "\n \nversion_id,token\nv,k\n", []string{"line 4|v|k||"}},
		{"a line with too little, and one with too much", "version_id,token\nv\nv,k,N\nw,l\n",
			[]string{"line 2: it has 1 values, and there are 2 columns", "line 3: it has 3 values", "line 4|w|l||"}},
		{"a quotation mark that is not closed spoils its line", "version_id,token\nv,\"k\nw,l\nx,m\"m\n",
			[]string{"line 2: a quotation mark is out of place", "line 3|w|l||", "line 4: a quotation mark"}},
		{"a line that is too long", "version_id,token\nv," + long + "\nw,l\nx," + long, []string{"line 2: it is longer than", "line 3|w|l||", "line 4: it is longer"}},
		{"a line that is not UTF-8", "version_id,token\nv,\xff\nw,l\n", []string{"line 2: it is not UTF-8", "line 3|w|l||"}},
		{"nothing", "", []string{"ends: the file is empty"}},
		{"no names", "v," + canary + "\n", []string{header}},
		{"a name too few", "version_id,name\n", []string{header}},
		{"a name that is not known", "version_id,token,colour\n", []string{header}},
		{"a name twice", "version_id,token,token\n", []string{header}},
		{"semicolons", "version_id;token;name\n", []string{header}},
		{"a first line that is too long", long + "\n", []string{header}},
		{"UTF-16", "\xff\xfev\x00e\x00\n\x00", []string{header}},
	} {
		t.Run(tc.name, func(t *testing.T) { wantReadings(t, readCSV, tc.text, tc.want...) })
	}
}

func TestReadJSON(t *testing.T) {
	long := strings.Repeat("x", maxArrival)
	const good = `{"version_id":"w","token":"l"}`
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"all members, over several lines", "\xef\xbb\xbf\n[{\"version_id\":\"v\",\n\"token\":\"k\",\"name\":\"N\",\"voiceflow_project_id\":\"p\"},\n\n " + good + "]\n",
			[]string{"line 2 (element 1)|v|k|N|p", "line 5 (element 2)|w|l||"}},
		{"an empty array", "[]", nil},
		{"null is nothing", `[{"version_id":"v","token":null,"name":null}]`, []string{"line 1 (element 1)|v|||"}},
		{"what is no object", `["` + canary + `",null,` + good + `]`, []string{"line 1 (element 1): it is no JSON object", "line 1 (element 2): it is no", "line 1 (element 3)|w|l||"}},
		{"a member twice", `[{"token":"` + canary + `","token":"x"},` + good + `]`, []string{"line 1 (element 1): it has two members of the same name", "line 1 (element 2)|w|l||"}},
		{"a member that is not known", `[{"` + canary + `":1},` + good + `]`, []string{"line 1 (element 1): it has a member that is not known", "line 1 (element 2)|w|l||"}},
		{"a member in another case", `[{"Token":"k"},` + good + `]`, []string{"line 1 (element 1): it has a member that is not known", "line 1 (element 2)|w|l||"}},
		{"a number for a text", `[{"version_id":1},{"token":[]},` + good + `]`, []string{"line 1 (element 1): a member is of the wrong type", "line 1 (element 2): a member is of", "line 1 (element 3)|w|l||"}},
		{"not Unicode", "[{\"name\":\"\xff\"},{\"name\":\"\\ud800\"}," + good + "]", []string{"line 1 (element 1): a text in it is not Unicode", "line 1 (element 2): a text", "line 1 (element 3)|w|l||"}},
		{"an element that is too large", `[{"name":"` + long + `"},` + good + `]`, []string{"line 1 (element 1): it is larger than", "line 1 (element 2)|w|l||"}},
		{"one that is far too large", `[` + good + `,{"name":"` + strings.Repeat(long, 9) + `"},` + good + `]`, []string{"line 1 (element 1)|w|l||", "ends: a value is larger than"}},
		{"white space without an end", `[` + strings.Repeat(" ", 2*maxRead) + `]`, []string{"ends: a value is larger than"}},
		{"a comma too many", "[" + good + ",\n]", []string{"line 1 (element 1)|w|l||", "ends: line 1 is not valid JSON"}},
		{"a comma too few", "[" + good + "\n" + good + "]", []string{"line 1 (element 1)|w|l||", "ends: line 2 is not valid JSON"}},
		{"nonsense in the middle", "[" + good + ",\n{\"token\":\n" + canary + "}]", []string{"line 1 (element 1)|w|l||", "ends: line 3 is not valid JSON"}},
		{"an end in the middle", "[" + good, []string{"line 1 (element 1)|w|l||", "ends: the file ends in the middle"}},
		{"an end in the middle of an element", `[{"token":"` + canary, []string{"ends: the file ends in the middle"}},
		{"text behind it", "[" + good + "] x", []string{"line 1 (element 1)|w|l||", "ends: there is something after the end"}},
		{"no array", good, []string{"ends: the file should hold one JSON array"}},
		{"no JSON", canary, []string{"ends: the file should hold one JSON array"}},
		{"nothing", "", []string{"ends: the file should hold one JSON array"}},
	} {
		t.Run(tc.name, func(t *testing.T) { wantReadings(t, readJSON, tc.text, tc.want...) })
	}
}

var errDisk = errors.New("the disk is gone")

func TestReadingsEndWithAFailure(t *testing.T) {
	for name, read := range map[string]struct {
		reading
		text string
	}{"CSV": {readCSV, "version_id,token\nv,k\n"}, "JSON": {readJSON, `[{"version_id":"v","token":"k"},`}} {
		t.Run(name, func(t *testing.T) {
			none := func(arrival) error { return nil }
			if err := read.reading(io.MultiReader(strings.NewReader(read.text), iotest.ErrReader(errDisk)), none); !errors.Is(err, errDisk) {
				t.Errorf("a reader that fails: got %v", err)
			}
			stopped := errors.New("enough")
			if err := read.reading(strings.NewReader(read.text), func(arrival) error { return stopped }); !errors.Is(err, stopped) {
				t.Errorf("an each that fails: got %v", err)
			}
		})
	}
}

// FuzzReadCSV and FuzzReadJSON put a key into files of all sorts: nothing panics, and no
// error has the key in it.
func FuzzReadCSV(f *testing.F) {
	for _, text := range []string{
		"version_id,token,name\nv,KEY,N\n", "KEY", "version_id,token\nKEY\n\"KEY", "version_id,token\nv,k\"KEY\n", "\xef\xbb\xbfversion_id,token\r\n\xffKEY,,\r\n", "KEY,token\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { noKeyShows(t, readCSV, text) })
}

func FuzzReadJSON(f *testing.F) {
	for _, text := range []string{
		`[{"version_id":"v","token":"KEY"}]`, `KEY`, `["KEY"]`, `[{"KEY":1}]`, `[{"token":"KEY","token":"KEY"}]`, `[{"token":{"KEY":"KEY"}}]`, `[{"token":"KEY`, `[KEY]`, `[[]] "KEY"`, "[{\"name\":\"\xffKEY\"}]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { noKeyShows(t, readJSON, text) })
}

func noKeyShows(t *testing.T, read reading, text string) {
	err := read(strings.NewReader(strings.ReplaceAll(text, "KEY", canary)), func(a arrival) error {
		if a.place == "" || strings.Contains(a.place, "canary") || a.err != nil && strings.Contains(a.err.Error(), "canary") {
			t.Errorf("%q: %v", a.place, a.err)
		}
		if shown := fmt.Sprintf("%+v %#v", a.in.Key, a.in.Key); strings.Contains(shown, "canary") {
			t.Errorf("the key shows as %s", shown)
		}
		return nil
	})
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

// identity is a key pair of age's.
func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

const testOrigin domain.Origin = "https://voiceflow.test"

// sealedFile is a file of project export with two assistants.
func sealedFile(t testing.TB, to ...age.Recipient) []byte {
	t.Helper()
	var file bytes.Buffer
	err := sealProjects(&file, to, testOrigin, func(take func(app.ExportedProject) error) error {
		p := domain.Project{Name: "Pizza\x1b", Voiceflow: "6371c9b4e1a5b2c3d4e5f607", Version: "production", Created: time.Unix(0, 0)}
		q := p
		q.Name, q.Version = "Trains", "main"
		return errors.Join(
			take(app.ExportedProject{Project: p, Keys: map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret(canary), domain.SlotSecondary: domain.NewSecret("second")}}),
			take(app.ExportedProject{Project: q, Keys: map[domain.Slot]domain.Secret{domain.SlotPrimary: domain.NewSecret("k")}}))
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
		wantReadings(t, readSealed([]age.Identity{identity(t), id}, testOrigin), string(file),
			`"Pizza\x1b"|production|VF.DM.canary+second||6371c9b4e1a5b2c3d4e5f607`, "Trains|main|k||6371c9b4e1a5b2c3d4e5f607")
	}
	wantReadings(t, readSealed([]age.Identity{identity(t)}, testOrigin), string(file), "ends: the identity does not open the file")
	wantReadings(t, readSealed([]age.Identity{ada}, "https://other.test"), string(file),
		"ends: the keys in the file are for Voiceflow at https://voiceflow.test, and this installation sends keys to https://other.test")
}

func TestASealedFileThatWasAlteredIsRefused(t *testing.T) {
	id := identity(t)
	file := sealedFile(t, id.Recipient())
	read := readSealed([]age.Identity{id}, testOrigin)
	refused := func(what string, altered []byte) {
		t.Helper()
		err := read(bytes.NewReader(altered), func(arrival) error { return nil })
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

// sealedText is an age file of any text.
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
		{"a later version", `{"format":"flowlatch-projects","version":2}`, []string{"ends: the file is of version 2"}},
		{"no assistants", sealedHeadLine, nil},
		{"a member that is not known", sealedHeadLine + `{"` + canary + `":1}`, []string{"an assistant: it has a member that is not known"}},
		{"a slot that is not known", sealedHeadLine + `{"name":"N","keys":{"` + canary + `":"k"}}`, []string{"N: it has a key in a slot that is not known"}},
		{"an array in the place of an assistant", sealedHeadLine + "]", []string{"ends: line 2 is not valid JSON"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantReadings(t, readSealed([]age.Identity{id}, testOrigin), sealedText(t, id.Recipient(), tc.text), tc.want...)
		})
	}
	wantReadings(t, readSealed([]age.Identity{id}, testOrigin), "version_id,token\n", "ends: the file was altered or cut, or was never written by project export")
}

func FuzzReadSealed(f *testing.F) {
	id := identity(f)
	f.Add(`{"name":"N","keys":{"primary":"KEY"}}`)
	f.Add(`{"version_id":"v","keys":{"secondary":"KEY","KEY":"KEY"}} KEY`)
	f.Fuzz(func(t *testing.T, text string) {
		sealed := sealedText(t, id.Recipient(), sealedHeadLine+strings.ReplaceAll(text, "KEY", canary))
		err := readSealed([]age.Identity{id}, testOrigin)(strings.NewReader(sealed), func(a arrival) error {
			if a.err != nil && strings.Contains(a.err.Error(), "canary") {
				t.Error(a.err)
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
	if got, err := parseRecipients([]string{good, good}); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"", "# " + good, good + "\n" + good, secret, canary, "age1canary", good + "x", "ssh-ed25519 AAAA"} {
		_, err := parseRecipients([]string{good, text})
		if err == nil || !strings.Contains(err.Error(), "recipient 2 is no public key") {
			t.Errorf("%q: got error %v", text, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats what was given: %v", err)
		}
	}
}
