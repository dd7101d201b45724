package voiceflowtest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/adapters/voiceflow/voiceflowtest"
)

func TestTheHostileCorpusHasWhatItsNamesSay(t *testing.T) {
	traces := voiceflowtest.HostileTraces()
	byName := map[string]json.RawMessage{}
	for _, h := range traces {
		if _, twice := byName[h.Name]; twice {
			t.Errorf("%q is there twice", h.Name)
		}
		byName[h.Name] = h.Trace
		if valid := json.Valid(h.Trace); valid == strings.HasPrefix(h.Name, "no JSON") {
			t.Errorf("%q: valid JSON is %t", h.Name, valid)
		}
		if valid := utf8.Valid(h.Trace); valid == strings.HasPrefix(h.Name, "no UTF-8") {
			t.Errorf("%q: valid UTF-8 is %t", h.Name, valid)
		}
	}
	for name, text := range map[string]string{
		"the message of a text is a script element":                "<script>",
		"the address of a button of a card is javascript":          `"url":"javascript:`,
		"the picture in a carousel is a data picture":              `"imageUrl":"data:image/svg+xml`,
		"the title of a card is right-to-left overrides":           "\u202e",
		"the name of a choice is NUL and other controls":           `\u0000`,
		"the audio of a speak is vbscript":                         `"src":"vbscript:`,
		"the picture of a visual is another host without a scheme": `"image":"//`,
		"a choice of 10,000 buttons":                               `"Button 10000"`,
		"carousels in carousels":                                   strings.Repeat(`{"payload":{"cards":[{"cards":[`, 100),
	} {
		if !bytes.Contains(byName[name], []byte(text)) {
			t.Errorf("%q has no %s: %.300s", name, text, byName[name])
		}
	}
	if size := len(byName["a text of 1 MB"]); size < 1<<20-100 {
		t.Errorf("it has %d bytes", size)
	}
	if len(traces) < 1000 {
		t.Errorf("only %d traces", len(traces))
	}
}

func TestNoHostileNameIsThereTwice(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range voiceflowtest.HostileNames() {
		if seen[name] || name == "" || utf8.RuneCountInString(name) > 5000 || !utf8.ValidString(name) {
			t.Errorf("%q", name)
		}
		seen[name] = true
	}
	if !seen["=1+1"] || len(seen) < 40 {
		t.Errorf("only %d names", len(seen))
	}
}
