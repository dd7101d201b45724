package voiceflow

import (
	"bytes"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// lexedPart is a part as the lexer told it.
type lexedPart struct {
	kind    kind
	end     int // in the answer
	role    role
	content string // of a string that ended
}

// lexed returns the parts of pieces, but for those that only the end of a piece ends.
func lexed(t *testing.T, lines bool, pieces ...[]byte) []lexedPart {
	t.Helper()
	l := lexer{lines: lines}
	var parts []lexedPart
	at := 0
	for _, piece := range pieces {
		for len(piece) > 0 {
			p := l.next(piece)
			if p.n < 1 || p.n > len(piece) || len(p.run(piece)) > p.n {
				t.Fatalf("got a part of %d bytes in a piece of %d", p.n, len(piece))
			}
			at += p.n
			switch p.kind {
			case between, text:
				if p.n != len(piece) {
					t.Fatalf("got a part that nothing ends at %d", at)
				}
			case endString:
				parts = append(parts, lexedPart{p.kind, at, l.role, string(l.content())})
			default:
				parts = append(parts, lexedPart{p.kind, at, l.role, ""})
			}
			piece = piece[p.n:]
		}
	}
	return parts
}

func TestTheLexerTellsTheRolesOfStrings(t *testing.T) {
	for _, tc := range []struct {
		name string
		text string
		want []role // of the strings that end
	}{
		{"members", `{"message":"a","type" : "b","x":"c"}`, []role{roleNone, roleMessage, roleNone, roleType, roleNone, roleOther}},
		{"names with escapes", `{"\u006dessage":"a","t\u0079pe":"b"}`, []role{roleNone, roleMessage, roleNone, roleType}},
		{"values that are names", `{"x":"message","y":["type","message"]}`, []role{roleNone, roleOther, roleNone, roleNone, roleNone}},
		{"a value that is no string", `{"message":[{"a":"b"}],"type":1,"c":"d"}`, []role{roleNone, roleNone, roleOther, roleNone, roleNone, roleOther}},
		{"an invalid escape", `{"message\q":"a"}`, []role{roleNone, roleOther}},
		{"a colon before everything", `:"message":"a"`, []role{roleOther, roleOther}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var l lexer
			var got []role
			for b := []byte(tc.text); len(b) > 0; {
				p := l.next(b)
				if p.kind == endString {
					got = append(got, l.role)
				}
				b = b[p.n:]
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// FuzzLexer splits an answer at every byte, and holds the lexer to the same parts. In what
// is JSON it has to find the strings that a parser finds.
func FuzzLexer(f *testing.F) {
	for _, seed := range []string{
		`{"userID":"fl-ben","a":[{"type":"debug"}]}`, "data: {\"userID\":\"fl-1\"}\r\n\r\n", `{"\u0075serID":"\\\"fl-\u0022"}`,
		"{\"a\":\"\n\\", "data: {\"a\":\"\\\ndata: \"", `}]{"userID":: "fl-ben" : "userID" , "fl-ben"`, "\xff\"\x00\"", ` "a" : "b" `,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, lines bool) {
		if len(text) > 1000 {
			return
		}
		whole := lexed(t, lines, text)
		bytewise := make([][]byte, len(text))
		for i := range text {
			bytewise[i] = text[i : i+1]
			if got := lexed(t, lines, text[:i], text[i:]); !slices.Equal(got, whole) {
				t.Fatalf("split at %d: got %v, want %v", i, got, whole)
			}
		}
		if got := lexed(t, lines, bytewise...); !slices.Equal(got, whole) {
			t.Fatalf("byte by byte: got %v, want %v", got, whole)
		}
		if lines || !jsontext.Value(text).IsValid() {
			return
		}
		count := 0
		for _, p := range whole {
			if p.kind == endString {
				count++
			}
		}
		if want := stringsIn(text); count != want {
			t.Fatalf("got %d strings, want %d", count, want)
		}
	})
}

// stringsIn counts the strings of JSON.
func stringsIn(value []byte) int {
	n := 0
	d := jsontext.NewDecoder(bytes.NewReader(value))
	for {
		t, err := d.ReadToken()
		if err != nil {
			return n
		}
		if t.Kind() == '"' {
			n++
		}
	}
}
