package importlist

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/flowlatch/flowlatch/internal/jsonstream"
)

// canary stands where a key could stand. No message may contain it.
const canary = "VF.DM.canary"

// entries returns what read finds: a line for each entry, and one for an error that ends
// the reading.
func entries(read Reader, r io.Reader) []string {
	var out []string
	err := read(r, func(e Entry) error {
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

func wantEntries(t *testing.T, read Reader, text string, want ...string) {
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

func TestReadCSV(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
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
		{"another separator", "version_id|token|name\n", []string{header}},
		{"a first line that is too long", long + "\n", []string{header}},
		{"UTF-16 without names", "\xff\xfev\x00e\x00\n\x00", []string{header}},
	} {
		t.Run(tc.name, func(t *testing.T) { wantEntries(t, ReadCSV, tc.text, tc.want...) })
	}
}

func TestReadJSON(t *testing.T) {
	long := strings.Repeat("x", jsonstream.MaxValue)
	const good = `{"version_id":"w","token":"l"}`
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"all members, over several lines", "\xef\xbb\xbf\n[{\"version_id\":\"v\",\n\"token\":\"k\",\"name\":\"N\",\"voiceflow_project_id\":\"p\"},\n\n " + good + "]\n",
			[]string{"line 2 (element 1)|v|k|N|p", "line 5 (element 2)|w|l||"}},
		{"an empty array", "[]", nil},
		{"null is nothing", `[{"version_id":"v","token":null,"name":null}]`, []string{"line 1 (element 1)|v|||"}},
		{"what is no object", `["` + canary + `",null,` + good + `]`, []string{"line 1 (element 1): it is not a JSON object", "line 1 (element 2): it is not", "line 1 (element 3)|w|l||"}},
		{"a member twice", `[{"token":"` + canary + `","token":"x"},` + good + `]`, []string{"line 1 (element 1): it has two members of the same name", "line 1 (element 2)|w|l||"}},
		{"a member that is not known", `[{"` + canary + `":1},` + good + `]`, []string{"line 1 (element 1): it has an unknown member", "line 1 (element 2)|w|l||"}},
		{"a member in another case", `[{"Token":"k"},` + good + `]`, []string{"line 1 (element 1): it has an unknown member", "line 1 (element 2)|w|l||"}},
		{"a number for a text", `[{"version_id":1},{"token":[]},` + good + `]`, []string{"line 1 (element 1): a member is of the wrong type", "line 1 (element 2): a member is of", "line 1 (element 3)|w|l||"}},
		{"not Unicode", "[{\"name\":\"\xff\"},{\"name\":\"\\ud800\"}," + good + "]", []string{"line 1 (element 1): a text in it is not Unicode", "line 1 (element 2): a text", "line 1 (element 3)|w|l||"}},
		{"an element that is too large", `[{"name":"` + long + `"},` + good + `]`, []string{"line 1 (element 1): it is larger than", "line 1 (element 2)|w|l||"}},
		{"one that is far too large", `[` + good + `,{"name":"` + strings.Repeat(long, 9) + `"},` + good + `]`, []string{"line 1 (element 1)|w|l||", "ends: a value is larger than"}},
		{"white space without an end", `[` + strings.Repeat(" ", 8*jsonstream.MaxValue) + `]`, []string{"ends: a value is larger than"}},
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
		t.Run(tc.name, func(t *testing.T) { wantEntries(t, ReadJSON, tc.text, tc.want...) })
	}
}

var errDisk = errors.New("the disk is gone")

func TestReadersEndWithAFailure(t *testing.T) {
	for name, read := range map[string]struct {
		Reader
		text string
	}{"CSV": {ReadCSV, "version_id,token\nv,k\n"}, "JSON": {ReadJSON, `[{"version_id":"v","token":"k"},`}} {
		t.Run(name, func(t *testing.T) {
			none := func(Entry) error { return nil }
			if err := read.Reader(io.MultiReader(strings.NewReader(read.text), iotest.ErrReader(errDisk)), none); !errors.Is(err, errDisk) {
				t.Errorf("a reader that fails: got %v", err)
			}
			stopped := errors.New("enough")
			if err := read.Reader(strings.NewReader(read.text), func(Entry) error { return stopped }); !errors.Is(err, stopped) {
				t.Errorf("an each that fails: got %v", err)
			}
		})
	}
}

// FuzzReadCSV and FuzzReadJSON read files that contain a key. Nothing may panic, and no error
// may contain the key.
func FuzzReadCSV(f *testing.F) {
	for _, text := range []string{
		"version_id,token,name\nv,KEY,N\n", "KEY", "version_id,token\nKEY\n\"KEY", "version_id,token\nv,k\"KEY\n", "\xef\xbb\xbfversion_id,token\r\n\xffKEY,,\r\n", "KEY,token\n",
	} {
		f.Add(text)
	}
	for _, tc := range spreadsheets {
		f.Add(tc.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		noKeyShows(t, ReadCSV, text)
		_ = ReadCSV(strings.NewReader(text), func(e Entry) error {
			if e.Err == nil && strings.TrimSpace(e.Version+e.Key.Reveal()+e.Name+e.VoiceflowProject) == "" {
				t.Errorf("%s is an entry without a value", e.Place)
			}
			return nil
		})
	})
}

func FuzzReadJSON(f *testing.F) {
	for _, text := range []string{
		`[{"version_id":"v","token":"KEY"}]`, `KEY`, `["KEY"]`, `[{"KEY":1}]`, `[{"token":"KEY","token":"KEY"}]`, `[{"token":{"KEY":"KEY"}}]`, `[{"token":"KEY`, `[KEY]`, `[[]] "KEY"`, "[{\"name\":\"\xffKEY\"}]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { noKeyShows(t, ReadJSON, text) })
}

func noKeyShows(t *testing.T, read Reader, text string) {
	err := read(strings.NewReader(strings.ReplaceAll(text, "KEY", canary)), func(e Entry) error {
		if e.Place == "" || strings.Contains(e.Place, "canary") || e.Err != nil && strings.Contains(e.Err.Error(), "canary") {
			t.Errorf("%q: %v", e.Place, e.Err)
		}
		if shown := fmt.Sprintf("%+v %#v", e.Key, e.Key); strings.Contains(shown, "canary") {
			t.Errorf("the key shows as %s", shown)
		}
		return nil
	})
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}
