package ginhttp

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// everyShape has a parameter of every type that a body of ours has.
type everyShape struct {
	Text   text           `json:"text"`
	Maybe  *text          `json:"maybe"`
	Secret domain.Secret  `json:"secret"`
	New    *domain.Secret `json:"new"`
	Flag   bool           `json:"flag"`
	Switch *bool          `json:"switch"`
	Texts  []text         `json:"texts"`
	Set    *[]text        `json:"set"`
}

func TestDecodeRefusesWhatIsNotOneStrictObject(t *testing.T) {
	const secret = "VF.DM.canary"
	nested := strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)
	for _, tc := range []struct{ name, body, says string }{
		{"nothing at all", ``, "one JSON object"},
		{"white space only", " \n", "one JSON object"},
		{"null", `null`, "one JSON object"},
		{"an array", `[{"text":"a"}]`, "one JSON object"},
		{"a text", `"` + secret + `"`, "one JSON object"},
		{"a number", `7`, "one JSON object"},
		{"no JSON", secret, "one JSON object"},
		{"a byte order mark", "\ufeff{}", "one JSON object"},
		{"a body that is cut", `{"text":"` + secret, "not valid JSON"},
		{"a second object behind it", `{} {}`, "not valid JSON at byte 3"},
		{"text behind it", `{}` + secret, "not valid JSON"},
		{"a comma too many", `{"text":"a",}`, "not valid JSON"},
		{"single quotes", `{'text':'a'}`, "not valid JSON"},
		{"a parameter twice", `{"text":"a","text":"` + secret + `"}`, "names a member twice"},
		{"a parameter twice, once with an escape", `{"text":"a","t\u0065xt":"b"}`, "names a member twice"},
		{"an unknown member twice", `{"x":1,"x":2}`, "names a member twice"},
		{"a member twice deep inside an unknown one", `{"x":[{"y":{"` + secret + `":1,"` + secret + `":2}}]}`, "names a member twice"},
		{"invalid UTF-8 in a parameter", "{\"text\":\"a\xff\"}", "not valid JSON"},
		{"invalid UTF-8 in an unknown member", "{\"x\":\"\xc3\x28\"}", "not valid JSON"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", "not valid JSON"},
		{"a lone surrogate", `{"text":"\ud800"}`, "not valid JSON"},
		{"a raw NUL", "{\"text\":\"a\x00\"}", "not valid JSON"},
		{"an escaped NUL in a parameter", `{"text":"a\u0000b"}`, "NUL"},
		{"an escaped NUL in a secret", `{"secret":"a\u0000b"}`, "NUL"},
		{"an escaped NUL behind an escaped backslash", `{"text":"\\\u0000"}`, "NUL"},
		{"an escaped NUL in an unknown member", `{"x":["\u0000"]}`, "NUL"},
		{"an escaped NUL in a name", `{"\u0000":1}`, "NUL"},
		{"a number where text belongs", `{"text":5}`, "text has the wrong type"},
		{"a number where a text may be", `{"maybe":5}`, "maybe has the wrong type"},
		{"a number where a secret belongs", `{"secret":5}`, "secret has the wrong type"},
		{"an object where a secret belongs", `{"secret":{"` + secret + `":1}}`, "secret has the wrong type"},
		{"an array where text belongs", `{"text":["` + secret + `"]}`, "text has the wrong type"},
		{"a text where a flag belongs", `{"flag":"` + secret + `"}`, "flag has the wrong type"},
		{"a number where a flag belongs", `{"switch":1}`, "switch has the wrong type"},
		{"a text where a list belongs", `{"texts":"` + secret + `"}`, "texts has the wrong type"},
		{"a number in a list", `{"texts":["a",1]}`, "texts has the wrong type"},
		{"an object in a list", `{"set":[{}]}`, "set has the wrong type"},
		{"100,000 arrays in a parameter", `{"text":` + nested + `}`, ""},
		{"100,000 arrays in an unknown member", `{"x":` + nested + `}`, "not valid JSON"},
		{"100,000 arrays", nested, "one JSON object"},
		{"100,000 objects", strings.Repeat(`{"x":`, 100_000), "not valid JSON"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var in everyShape
			err := decode([]byte(tc.body), &in)
			e, ours := errors.AsType[*domain.Error](err)
			if !ours || e.Kind != domain.Invalid {
				t.Fatalf("got %v, want %s", err, domain.Invalid)
			}
			if !strings.Contains(e.Public, tc.says) {
				t.Errorf("got %q, want a sentence with %q", e.Public, tc.says)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%q repeats what was sent", err)
			}
		})
	}
}

func TestDecodeTakesWhatTheContractAllows(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		check      func(everyShape) bool
	}{
		{"an empty object", `{}`, func(in everyShape) bool {
			return in.Text == "" && in.Maybe == nil && in.New == nil && in.Switch == nil && in.Set == nil
		}},
		{"white space around it", " \t\r\n{ \"flag\" : true }\n", func(in everyShape) bool { return in.Flag }},
		{"null for everything", `{"text":null,"maybe":null,"secret":null,"new":null,"flag":null,"switch":null,"texts":null,"set":null}`,
			func(in everyShape) bool {
				return in.Text == "" && in.Maybe == nil && in.Secret.IsZero() && in.New == nil && !in.Flag && in.Switch == nil && in.Texts == nil && in.Set == nil
			}},
		{"a name in another case is another name", `{"TEXT":"a","Text":"b","secrEt":"c"}`, func(in everyShape) bool {
			return in.Text == "" && in.Secret.IsZero()
		}},
		{"unknown members of any kind", `{"x":{"y":[1,null,true,"z"]},"text":"a"}`, func(in everyShape) bool { return in.Text == "a" }},
		{"text is trimmed", `{"text":" \n\u00a0a b\t ","maybe":" c ","texts":[" d"],"set":["e "]}`, func(in everyShape) bool {
			return in.Text == "a b" && *in.Maybe == "c" && in.Texts[0] == "d" && (*in.Set)[0] == "e"
		}},
		{"a secret is not", `{"secret":" a ","new":" b "}`, func(in everyShape) bool {
			return in.Secret.Reveal() == " a " && in.New.Reveal() == " b "
		}},
		{"an empty list is there", `{"set":[]}`, func(in everyShape) bool { return in.Set != nil && len(*in.Set) == 0 }},
		{"escapes", `{"text":"\u00e4\ud83d\ude00\"\\\/\n!"}`, func(in everyShape) bool { return in.Text == "ä😀\"\\/\n!" }},
		{"what only looks like an escaped NUL", `{"text":"\\u0000"}`, func(in everyShape) bool { return in.Text == `\u0000` }},
		{"any script", `{"text":"助手 مرحبا 🤖"}`, func(in everyShape) bool { return in.Text == "助手 مرحبا 🤖" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var in everyShape
			if err := decode([]byte(tc.body), &in); err != nil {
				t.Fatal(err)
			}
			if !tc.check(in) {
				t.Errorf("got %+v", in)
			}
		})
	}
}

func TestIsJSON(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		want   bool
	}{
		{"plain", http.Header{"Content-Type": {"application/json"}}, true},
		{"with a charset", http.Header{"Content-Type": {"application/json; charset=utf-8"}}, true},
		{"in another case", http.Header{"Content-Type": {"Application/JSON"}}, true},
		{"not compressed, as it says", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, true},
		{"none", http.Header{}, false},
		{"empty", http.Header{"Content-Type": {""}}, false},
		{"a form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, false},
		{"what a form can send without asking", http.Header{"Content-Type": {"text/plain"}}, false},
		{"a relative", http.Header{"Content-Type": {"application/json-patch+json"}}, false},
		{"two in one", http.Header{"Content-Type": {"application/json, text/plain"}}, false},
		{"two", http.Header{"Content-Type": {"application/json", "application/json"}}, false},
		{"a broken parameter", http.Header{"Content-Type": {"application/json; charset"}}, false},
		{"compressed", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := isJSON(tc.header); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// FuzzDecode holds the decoder to encoding/json, which takes more: whatever passes must
// be valid, must mean the same there, and must hold neither NUL nor invalid UTF-8.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"text":" a ","secret":"b","flag":true,"texts":["c"]}`, `{"text":"a","text":"b"}`,
		`{"TEXT":"a"}`, `{"text":"\u0000"}`, `{"text":"\\u0000"}`, `{"x":{"y":1,"y":2}}`, "{\"text\":\"\xff\"}", `{"text":5}`, `{} {}`,
		`{"switch":false,"set":[],"new":"x","maybe":null}`, `{"text":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in everyShape
		if err := decode(body, &in); err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Fatalf("%q: got %v, want %s", body, err, domain.Invalid)
			}
			return
		}
		var same struct {
			Text  string   `json:"text"`
			Flag  bool     `json:"flag"`
			Texts []string `json:"texts"`
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%q passed and is no JSON: %v", body, err)
		}
		exact := map[string]json.RawMessage{}
		for _, name := range []string{"text", "flag", "texts"} {
			if value, there := members[name]; there {
				exact[name] = value
			}
		}
		again, err := json.Marshal(exact)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &same); err != nil {
			t.Fatalf("%q passed with values of the wrong type: %v", body, err)
		}
		if string(in.Text) != strings.TrimSpace(same.Text) || in.Flag != same.Flag || len(in.Texts) != len(same.Texts) {
			t.Fatalf("%q: got %+v, want %+v", body, in, same)
		}
		for _, value := range append(texts(in.Texts), string(in.Text), in.Secret.Reveal()) {
			if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
				t.Fatalf("%q let %q through", body, value)
			}
		}
	})
}
