package voiceflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// The filter is tested inside of the package, since one HTTP exchange for each body and
// each way to cut it would be too slow.

const secretKey = "VF.DM.64dbb6696a8fab0013dba194.AbCdEfGhIjKlMnOp"

// pieces is a body that comes in pieces, each in a Read of its own, and then fails.
type pieces struct {
	left  []string
	fails error
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, p.fails
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	return n, nil
}

func (*pieces) Close() error { return nil }

// filtered is a filter over the pieces. Pseudonyms are this caller's, except those of ownID.
func filtered(form form, fails error, parts ...string) *filter {
	x := &exchange{
		ctx: context.Background(), end: func(error) {}, timer: time.NewTimer(time.Hour),
		left: 1 << 40, body: &pieces{left: parts, fails: fails},
	}
	f := &filter{from: x, credential: []byte(secretKey)}
	if form != formOther {
		f.lexer.lines, f.ids, f.credits = form == formEvents, &userIDs{own: ownID}, &credits{stream: form == formEvents}
	}
	return f
}

// ownID is odd enough to need escaping. A pseudonym with a tilde is another's.
func ownID(bound string) (string, bool) {
	own, ours := strings.CutPrefix(bound, domain.PseudonymPrefix)
	return "\"" + own + "\n", ours && !strings.Contains(own, "~")
}

func mapped(own string) string { return `\"` + own + `\n` }

// cut cuts text into pieces of 1 to most bytes.
func cut(text string, most int, r *rand.Rand) []string {
	var parts []string
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(most))
		parts = append(parts, text[:n])
		text = text[n:]
	}
	return parts
}

func TestTheFilterChangesPseudonymsAndNothingElse(t *testing.T) {
	stars := strings.Repeat("*", len(secretKey))
	for _, tc := range []struct {
		name string
		form form
		text string
		want string
	}{
		{"a user id", formJSON, `{"userID":"fl-ben"}`, `{"userID":"` + mapped("ben") + `"}`},
		{"a variable", formJSON, `{"variables":{"user_id":"fl-ben","last_utterance":"fl-ben"}}`, `{"variables":{"user_id":"` + mapped("ben") + `","last_utterance":"` + mapped("ben") + `"}}`},
		{"a name", formJSON, `{"fl-ben":{"fl-sue" : 1}}`, `{"` + mapped("ben") + `":{"` + mapped("sue") + `" : 1}}`},
		{"a string alone", formJSON, `"fl-ben"`, `"` + mapped("ben") + `"`},
		{"space around", formJSON, "{ \"userID\" \t:\n \"fl-ben\" }", "{ \"userID\" \t:\n \"" + mapped("ben") + "\" }"},
		{"deep in lists", formJSON, `[[{"a":["fl-1",{"b":"fl-2"}]}]]`, `[[{"a":["` + mapped("1") + `",{"b":"` + mapped("2") + `"}]}]]`},
		{"an empty own id", formJSON, `{"userID":"fl-"}`, `{"userID":"` + mapped("") + `"}`},
		{"somebody else's", formJSON, `{"userID":"fl-~ben"}`, ""},
		{"nobody's", formJSON, `["","f","fl","-","fl_ben","Fl-ben","FL-ben","f-ben","xfl-ben"," fl-ben"]`, ""},
		{"no text", formJSON, `[1,null,true,{}]`, ""},
		{"a value written with escapes", formJSON, `["\u0066l-ben","f\u006c-ben","f\u006C\u002dben","\u0066\u006c\u002Db\u0065n"]`, `["` + mapped("ben") + strings.Repeat(`","`+mapped("ben"), 3) + `"]`},
		{"escapes of other characters", formJSON, `["\u0065l-ben","\f","\\fl-ben","\/fl-ben","fl\-ben","\u006","\u00660","\U0066l-ben","\u1066l-ben"]`, ""},
		{"inside of text", formJSON, `{"text":"{\"userID\":\"fl-ben\"}","a":"hi fl-ben","b":"fl-~ben fl-ben"}`, ""},
		{"after an escaped quote", formJSON, `{"\"fl-ben":1,"x\\\"fl-ben":2}`, ""},
		{"too long for an id", formJSON, `{"userID":"fl-` + strings.Repeat("x", maxHeldID) + `"}`, ""},
		{"as long as an id may be", formJSON, `{"userID":"fl-` + strings.Repeat("x", maxHeldID-3) + `"}`, `{"userID":"` + mapped(strings.Repeat("x", maxHeldID-3)) + `"}`},
		{"one after one that is too long", formJSON, `["fl-` + strings.Repeat("x", 5*maxHeldID) + `","fl-ben"]`, `["fl-` + strings.Repeat("x", 5*maxHeldID) + `","` + mapped("ben") + `"]`},
		{"raw control characters before", formJSON, "{\"a\":\"\x00\x07\r\n\",\"userID\":\"fl-ben\"}", "{\"a\":\"\x00\x07\r\n\",\"userID\":\"" + mapped("ben") + "\"}"},
		{"raw control characters inside", formJSON, "[\"f\nl-ben\",\"\r\nfl-ben\",\"\x00fl-ben\"]", ""},
		{"an id that never ends", formJSON, `{"userID":"fl-ben`, ""},
		{"an id that has just begun", formJSON, `{"userID":"f`, ""},
		{"an escape that never ends", formJSON, `{"userID":"fl-ben\`, ""},
		{"an escape that has just begun", formJSON, `{"userID":"\u00`, ""},
		{"an invalid escape", formJSON, `{"userID":"fl-\q"}`, ""},
		{"broken JSON", formJSON, `}]{"userID":: "fl-ben" : "fl-x`, `}]{"userID":: "` + mapped("ben") + `" : "fl-x`},
		{"an event", formEvents, "id: 1\nevent: trace\ndata: {\"a\":\"fl-ben\"}\n\n", "id: 1\nevent: trace\ndata: {\"a\":\"" + mapped("ben") + "\"}\n\n"},
		{"an event after a broken one", formEvents, "data: {\"a\":\"\n\ndata: {\"a\":\"fl-ben\"}\n\n", "data: {\"a\":\"\n\ndata: {\"a\":\"" + mapped("ben") + "\"}\n\n"},
		{"an event after a broken escape", formEvents, "data: {\"a\":\"\\\ndata: {\"a\":\"fl-ben\"}\r\n\r\n", "data: {\"a\":\"\\\ndata: {\"a\":\"" + mapped("ben") + "\"}\r\n\r\n"},
		{"a line that ends in an id", formEvents, "data: {\"a\":\"fl-ben\ndata: \"}\n\n", ""},
		{"a line that ends in the beginning of an id", formEvents, "data: {\"a\":\"f\nl-ben\"}\n\ndata: [\"fl-ben\"]\n\n", "data: {\"a\":\"f\nl-ben\"}\n\ndata: [\"" + mapped("ben") + "\"]\n\n"},
		{"an id that is not in quotes", formEvents, "data: fl-ben\nid: fl-ben\n: fl-ben\n\n", ""},
		{"something else than JSON", formOther, `{"userID":"fl-ben"}`, ""},
		{"nothing", formJSON, "", ""},
		{"the credential", formOther, secretKey, stars},
		{"the credential in JSON", formJSON, `{"a":"` + secretKey + `"}`, `{"a":"` + stars + `"}`},
		{"the credential as a name", formJSON, `{"` + secretKey + `":1}`, `{"` + stars + `":1}`},
		{"the credential in an event", formEvents, "data: " + secretKey + "\n\n", "data: " + stars + "\n\n"},
		{"twice in a row", formOther, secretKey + secretKey, stars + stars},
		{"behind its own beginning", formOther, secretKey[:20] + secretKey + secretKey[:20], secretKey[:20] + stars + secretKey[:20]},
		{"all but its end", formOther, secretKey[:len(secretKey)-1] + "!", ""},
		{"a user id beside it", formJSON, `{"userID":"fl-ben","k":"` + secretKey + `","userID":"fl-` + secretKey + `"}`, `{"userID":"` + mapped("ben") + `","k":"` + stars + `","userID":"` + mapped(stars) + `"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.want == "" {
				tc.want = tc.text
			}
			r := rand.New(rand.NewPCG(1, 2))
			for _, most := range []int{1 << 20, 1, 2, 7, 50} {
				for _, size := range []int{4096, 1, 3, 60} {
					f := filtered(tc.form, io.EOF, cut(tc.text, most, r)...)
					got, err := io.ReadAll(onlyBuffers{f, size})
					if err != nil || string(got) != tc.want {
						t.Fatalf("in pieces of up to %d, read by %d: got %q, %v, want %q", most, size, got, err, tc.want)
					}
					if f.CreditsUsedUp() {
						t.Error("got no credits, want nothing about them")
					}
				}
			}
		})
	}
}

// onlyBuffers reads in buffers of a size.
type onlyBuffers struct {
	io.Reader
	size int
}

func (o onlyBuffers) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(len(p), o.size)]) }

func TestWhatIsKnownComesAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name  string
		parts []string
		want  []string // by the Read that each part is read by
	}{
		{"events", []string{"data: {\"a\":1}\n\n", "data: {\"userID\":\"fl-1\"}\n\n", "data: {}\n\n"}, []string{"data: {\"a\":1}\n\n", "data: {\"userID\":\"" + mapped("1") + "\"}\n\n", "data: {}\n\n"}},
		{"half an event", []string{"data: {\"text\":\"Hel", "lo\"}\n\n"}, []string{"data: {\"text\":\"Hel", "lo\"}\n\n"}},
		{"the beginning of a string", []string{"data: {\"text\":\"", "Hello\"}\n\n"}, []string{"data: {\"text\":\"", "Hello\"}\n\n"}},
		{"a V that is no key", []string{"data: V", "ienna\n\n"}, []string{"data: ", "Vienna\n\n"}},
		{"the beginning of an id", []string{`data: {"a":"fl-`, "1\"}\n\n"}, []string{`data: {"a":"`, mapped("1") + "\"}\n\n"}},
		{"an f that is no id", []string{`data: {"a":"f`, `ish`, "\"}\n\n"}, []string{`data: {"a":"`, "fish", "\"}\n\n"}},
		{"text that is longer than an id", []string{`data: ["fl-`, strings.Repeat("x", maxHeldID), "y\"]\n\n"}, []string{`data: ["`, "fl-" + strings.Repeat("x", maxHeldID), "y\"]\n\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := filtered(formEvents, io.EOF, tc.parts...)
			buffer := make([]byte, 4096)
			for i, want := range tc.want {
				n, err := f.Read(buffer)
				if got := string(buffer[:n]); got != want || err != nil {
					t.Fatalf("read %d: got %q, %v, want %q", i, got, err, want)
				}
			}
			if n, err := f.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("got %d bytes more, %v, want the end", n, err)
			}
		})
	}
}

func TestACutAnswerShowsNoBeginningOfTheCredential(t *testing.T) {
	broken := errors.New("broken")
	f := filtered(formOther, broken, "key: "+secretKey[:40])
	got, err := io.ReadAll(f)
	if string(got) != "key: " || domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %q, %v, want what stands before the key, and VoiceflowUnavailable", got, err)
	}
}

// ourWords make text in which something of ours is likely.
var ourWords = []string{
	`"`, `"`, `{`, `}`, `[`, `]`, `:`, `,`, `\`, "\n", "\r", " ", `f`, `l`, `-`, `fl-`, `"fl-`, `\u0066`, `\u006C`, `\u002d`, `type`, `"type":"debug"`, "data: ",
	"credit_limit_", "reached", "V", "VF.DM.", "\\u0075", "\x00", "\xff", "é", "0",
}

func TestABodyWithoutAnythingOfOursPassesToTheByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(ourWords), rapid.String(), rapid.StringN(1, 40, -1))).Draw(t, "text"), "")
		form := form(rapid.IntRange(0, 2).Draw(t, "form"))
		seed := rapid.Uint64().Draw(t, "seed")
		most := rapid.IntRange(1, 64).Draw(t, "piece")
		f := filtered(form, io.EOF, cut(text, most, rand.New(rand.NewPCG(seed, 0)))...)
		if f.ids != nil {
			f.ids.own = func(string) (string, bool) { return "", false }
		}
		got, err := io.ReadAll(onlyBuffers{f, rapid.IntRange(1, 600).Draw(t, "buffer")})
		if err != nil || string(got) != text {
			t.Fatalf("got %q, %v, want %q", got, err, text)
		}
	})
}

// FuzzAnswer holds the filter to what a parser of JSON finds, and to one outcome however
// an answer is cut.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"userID":"fl-ben","a":[{"fl-":"fl-~"}]}`, `[{"type":"debug","payload":{"message":"credit_limit_reached"}}]`, secretKey, "data: {\"userID\":\"fl-1\"}\n\n",
		`{"userID":"fl-\u0022","\u0066\u006C\u002dx":"\u0066l-"}`, `{"traces":[{"payload":{"message":"credit_limit_reached"},"type":"debug"}]}`, `{"trace":[{},{"type":"debug","payload":{"message":"x"}}]}`,
		`{"userID" : "fl-x`, `["userID":"fl-x"]`, "{\"userID\":\"fl-\n\"}", `["f","\u00","\f","fl","\\fl-"]`,
	} {
		for form := range 3 {
			f.Add([]byte(seed), uint64(len(seed)), form)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64, n int) {
		form := form(uint(n) % 3)
		f := filtered(form, io.EOF, string(text))
		whole, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		again := filtered(form, io.EOF, cut(string(text), 1+r.IntN(40), r)...)
		inPieces, err := io.ReadAll(onlyBuffers{again, 1 + r.IntN(600)})
		used := f.CreditsUsedUp()
		if err != nil || !bytes.Equal(whole, inPieces) || used != again.CreditsUsedUp() {
			t.Fatalf("in pieces: got %q, %v, credits used up %v, want %q, credits used up %v", inPieces, err, again.CreditsUsedUp(), whole, used)
		}
		if bytes.Contains(whole, []byte(secretKey)) {
			t.Fatalf("the credential is in %q", whole)
		}
		if form == formOther && len(whole) != len(text) {
			t.Fatalf("got %d bytes, want %d", len(whole), len(text))
		}
		if form != formJSON {
			return
		}
		overwrite(text, []byte(secretKey))
		if !jsontext.Value(text).IsValid() {
			return
		}
		want := found{json: jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(text))), text: text}
		want.value()
		want.used = hasUsedUpTrace(t, text)
		if got, want := string(whole), string(want.out)+string(text[want.done:]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if used != want.used {
			t.Errorf("credits used up: got %v, want %v in %q", used, want.used, text)
		}
	})
}

// found is what a parser finds in JSON that it takes.
type found struct {
	json *jsontext.Decoder
	text []byte
	out  []byte
	done int
	used bool
}

// value reads a value.
func (f *found) value() {
	switch f.json.PeekKind() {
	case '{':
		_, _ = f.json.ReadToken()
		for f.json.PeekKind() != '}' {
			f.stringValue()
			f.value()
		}
		_, _ = f.json.ReadToken()
	case '[':
		_, _ = f.json.ReadToken()
		for f.json.PeekKind() != ']' {
			f.value()
		}
		_, _ = f.json.ReadToken()
	case '"':
		f.stringValue()
	default:
		_, _ = f.json.ReadValue()
	}
}

// stringValue reads a string.
func (f *found) stringValue() {
	raw, _ := f.json.ReadValue()
	id, _ := textOf(raw)
	if own, ours := ownID(id); ours && len(raw)-2 <= maxHeldID {
		end := int(f.json.InputOffset())
		f.out = append(f.out, f.text[f.done:end-len(raw)]...)
		f.out = quoted(f.out, own)
		f.done = end
	}
}

// BenchmarkFilter has answers as callers read them, in buffers of 32 KiB.
func BenchmarkFilter(b *testing.B) {
	turn := `[{"type":"text","time":1732550400000,"payload":{"message":"Would you like to order a pizza? We have Margherita, Funghi and \"Quattro Stagioni\".","slate":{"id":"dummy","content":[{"children":[{"text":"Would you like to order a pizza?"}]}]},"delay":1000}},{"type":"choice","payload":{"buttons":[{"name":"Yes","request":{"type":"path-6avlm3jzp","payload":{"label":"Yes"}}},{"name":"No","request":{"type":"path-8avlm3jzp","payload":{"label":"No"}}}]}}]`
	transcript := `{"id":"64dbb6696a8fab0013dba194","userID":"somebody-elses","sessionID":"b3aa7c3e","createdAt":"2026-11-25T16:00:00.000Z","properties":[]},`
	others := strings.ReplaceAll(transcript, "somebody-elses", "fl-p~EmYl2mQ3kqg7SxLwVw7HqjF9s0XkA")
	for _, tc := range []struct {
		name string
		form form
		text string
	}{
		{"turn", formJSON, turn},
		{"events", formEvents, strings.Repeat("event: trace\ndata: {\"type\":\"completion\",\"payload\":{\"state\":\"content\",\"content\":\"Hello there\"}}\n\n", 300)},
		{"transcripts", formJSON, `{"transcripts":[` + strings.Repeat(transcript, 5000) + `{}]}`},
		{"transcripts of others", formJSON, `{"transcripts":[` + strings.Repeat(others, 5000) + `{}]}`},
		{"binary", formOther, strings.Repeat("0123456789abcdefVghijklmnopqrstu", 10000)},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(tc.text)))
			b.ReportAllocs()
			buffer := make([]byte, 32<<10)
			for b.Loop() {
				f := filtered(tc.form, io.EOF, tc.text)
				for {
					if _, err := f.Read(buffer); err != nil {
						break
					}
				}
			}
		})
	}
}
