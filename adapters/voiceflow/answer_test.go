package voiceflow_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/google/go-cmp/cmp"
)

func TestAnAnswerPassesWhateverItsStatus(t *testing.T) {
	for _, status := range []int{200, 201, 202, 207, 400, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 451, 500, 501, 502, 503, 504, 520, 599} {
		f := far(t, answer(status, "application/json; charset=utf-8", `{"userID":"fl-bound-ben"}`))
		resp, body := f.read(t, turn(t), sent("", "{}"))
		if resp.StatusCode != status || body != `{"userID":"ben"}` {
			t.Errorf("%d: got %d %s, want it as it was, with the caller's own id", status, resp.StatusCode, body)
		}
		if n := len(f.seen()); n != 1 {
			t.Errorf("%d: it was sent %d times, want once", status, n)
		}
	}
	f := far(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	resp, body := f.read(t, turn(t), sent("", "{}"))
	if resp.StatusCode != 204 || body != "" || resp.ContentLength != 0 {
		t.Errorf("204: got %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
}

func TestAnAnswersHeadersAreThoseOfAShortList(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{
			"Content-Disposition", "Content-Language", "ETag", "Last-Modified", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Reset", "RateLimit-Remaining",
			"Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin", "Www-Authenticate", "Location", "Link", "Flowlatch-Token-Expires", "X-Request-Id", "Strict-Transport-Security",
			"Cache-Control", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "X-RateLimit", "X-RateLimit-Note",
		} {
			h.Set(name, "a value")
		}
		h.Set("Content-Type", "text/csv")
		h.Set("X-RateLimit-Policy", "key "+r.Header.Get("Authorization"))
		h.Set("Date", "now")
		_, _ = io.WriteString(w, "a,b")
	})
	resp, body := f.read(t, turn(t), sent("", "{}"))
	want := http.Header{
		"Content-Disposition": {"a value"}, "Content-Language": {"a value"}, "Etag": {"a value"}, "Last-Modified": {"a value"}, "Retry-After": {"a value"},
		"X-Ratelimit-Limit": {"a value"}, "X-Ratelimit-Reset": {"a value"}, "Ratelimit-Remaining": {"a value"}, "Content-Type": {"text/csv"}, "Content-Length": {"3"},
	}
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if body != "a,b" || resp.ContentLength != 3 {
		t.Errorf("got %q, length %d", body, resp.ContentLength)
	}
}

func TestAnAnswerHasALengthWhereItIsKnown(t *testing.T) {
	small := `{"userID":"fl-bound-sue"}`
	large := `{"a":"` + strings.Repeat("x", 64<<10) + `","userID":"fl-bound-sue"}`
	back := func(body string) string { return strings.Replace(body, "fl-bound-sue", "sue", 1) }
	for _, tc := range []struct {
		name, contentType, body string
		told, bound             bool
		want                    string
		wantLength              int
	}{
		{"small JSON", "application/json", small, true, true, back(small), len(back(small))},
		{"small JSON of one with users of their own", "application/json", small, true, false, small, len(small)},
		{"small JSON whose length is not told", "application/json", small, false, true, back(small), -1},
		{"large JSON", "application/json", large, true, true, back(large), -1},
		{"large JSON of one with users of their own", "application/json", large, true, false, large, len(large)},
		{"something else", "application/pdf", large, true, true, large, len(large)},
	} {
		f := far(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.contentType)
			if tc.told {
				w.Header().Set("Content-Length", fmt.Sprint(len(tc.body)))
			} else {
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, tc.body)
		})
		c := turn(t)
		if !tc.bound {
			c.UserIDs = domain.UserIDs{}
		}
		resp, body := f.read(t, c, sent("", "{}"))
		if header := resp.Header.Get("Content-Length"); header != "" && header != fmt.Sprint(tc.wantLength) {
			t.Errorf("%s: got Content-Length %s, want %d", tc.name, header, tc.wantLength)
		}
		if resp.ContentLength != int64(tc.wantLength) || body != tc.want {
			t.Errorf("%s: got %.100s, length %d, want %d", tc.name, body, resp.ContentLength, tc.wantLength)
		}
	}
}

func TestASmallAnswerThatIsCutIsNone(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{}`)
	})
	if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
}

func TestNothingInAnAnswerShowsTheCredential(t *testing.T) {
	for _, contentType := range []string{"application/json", "application/problem+json", "text/event-stream", "text/plain", "application/octet-stream", ""} {
		for _, status := range []int{200, 400, 404, 500} {
			f := far(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = []string{contentType, r.Header.Get("Authorization")}[:1]
				w.Header().Set("ETag", r.Header.Get("Authorization"))
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, `{"key":%q,"a":"x%[1]sx"}`, r.Header.Get("Authorization"))
			})
			resp, body := f.read(t, turn(t), sent("", "{}"))
			stars := strings.Repeat("*", len(key.Reveal()))
			if body != fmt.Sprintf(`{"key":%q,"a":"x%[1]sx"}`, stars) && (status != 200 || contentType != "") {
				t.Errorf("%d %s: got %s", status, contentType, body)
			}
			if shown := fmt.Sprintf("%s %v", body, resp); strings.Contains(shown, key.Reveal()) || resp.Header.Get("Etag") != "" {
				t.Errorf("%d %s: it shows in %s", status, contentType, shown)
			}
		}
	}
}

func TestARefusalWithoutJSONHasNoBody(t *testing.T) {
	for _, tc := range []struct {
		name, contentType, body string
		want                    string
	}{
		{"JSON", "application/json", `{"code":404,"status":"Not Found"}`, `{"code":404,"status":"Not Found"}`},
		{"JSON with another label", "text/plain", ` {"code":404}` + "\n", ` {"code":404}` + "\n"},
		{"JSON with a name that comes twice", "application/json", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
		{"JSON of just a mebibyte", "text/html", `"` + strings.Repeat("x", 1<<20-2) + `"`, `"` + strings.Repeat("x", 1<<20-2) + `"`},
		{"JSON of more than a mebibyte", "application/json", `"` + strings.Repeat("x", 1<<20-1) + `"`, ""},
		{"a page", "text/html", "<html>503</html>", ""},
		{"a page with the label of JSON", "application/json", "<html>503</html>", ""},
		{"text", "text/plain", "response timeout", ""},
		{"nothing", "application/json", "", ""},
		{"JSON that is cut", "application/json", `{"a":`, ""},
		{"two of them", "application/json", `{}{}`, ""},
		{"events", "text/event-stream", "data: {}\n\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(404, tc.contentType, tc.body))
			resp, body := f.read(t, turn(t), sent("", "{}"))
			wantType := "application/json"
			if tc.want == "" {
				wantType = ""
			}
			if resp.StatusCode != 404 || body != tc.want || resp.ContentLength != int64(len(tc.want)) || resp.Header.Get("Content-Type") != wantType {
				t.Errorf("got %d %.100q, length %d, %v, want %.100q", resp.StatusCode, body, resp.ContentLength, resp.Header, tc.want)
			}
		})
	}
}

func TestARefusalThatIsCutHasNoBody(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{}`)
	})
	if resp, body := f.read(t, turn(t), sent("", "{}")); resp.StatusCode != 500 || body != "" || resp.ContentLength != 0 {
		t.Errorf("got %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
}

func TestARefusedCredentialIsToldFromOtherRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   domain.Kind
	}{
		{"401 in JSON", 401, `{"message":"Unauthorized"}`, domain.CredentialsRejected},
		{"401 as text", 401, `Unauthorized`, domain.CredentialsRejected},
		{"401 without a body", 401, ``, domain.CredentialsRejected},
		{"a version that can't be resolved", 400, `{"name":"verror","message":"Cannot resolve project version, please verify that your API key is correct.","requestID":"x"}`, domain.CredentialsRejected},
		{"an alias that can't be resolved", 400, `{"message":"Cannot resolve version alias, please verify that your API key is correct."}`, domain.CredentialsRejected},
		{"a 400 that repeats what the caller sent", 400, `{"message":"no such user: Cannot resolve x, please verify that your API key is correct."}`, ""},
		{"another 400", 400, `{"message":"invalid environment tag"}`, ""},
		{"a 400 that says it elsewhere", 400, `{"data":"verify that your API key is correct","message":1}`, ""},
		{"a 400 that says it deeper down", 400, `{"a":{"message":"verify that your API key is correct"}}`, ""},
		{"a 403 that says it", 403, `{"message":"please verify that your API key is correct"}`, ""},
		{"a 500 that says it", 500, `{"message":"please verify that your API key is correct"}`, ""},
		{"a 200 that says it", 200, `{"message":"please verify that your API key is correct"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range []domain.Forward{turn(t), turn4(t), state(t)} {
				f := far(t, answer(tc.status, "application/json", tc.body))
				resp, err := f.forward(t.Context(), c, sent("", "{}"))
				if err == nil {
					resp.Body.Close()
				}
				if domain.KindOf(err) != tc.want || tc.want == "" && err != nil {
					t.Errorf("got %v, want kind %q", err, tc.want)
				}
				if may := tc.want != "" && tc.status == 400; errors.Is(err, domain.ErrKeyOrVersion) != may {
					t.Errorf("got %v, which may mean the version: %v", err, !may)
				}
			}
		})
	}
}

// A label of an answer must not keep its project from being compared.
func TestAnObjectOfAnotherProjectIsFoundUnderAnyLabel(t *testing.T) {
	c := to(t, domain.ServiceRealtime, "GET", "/v1/stable/transcript/66c5000000000000000000ff")
	c.Personal = true
	for _, label := range []string{"application/json", "text/plain", "application/octet-stream", "text/event-stream", ""} {
		for body, want := range map[string]domain.Kind{
			`{"transcript":{"projectID":"66c5000000000000000000ee"}}`:        domain.NotFound,
			`{"transcript":{"projectID":"` + string(pizza.Voiceflow) + `"}}`: "",
			`data: {"transcript":{"projectID":"66c5000000000000000000ee"}}`:  domain.VoiceflowUnavailable,
		} {
			f := far(t, answer(200, label, body))
			got, err := f.forward(t.Context(), c, sent("", ""))
			if err == nil {
				got.Body.Close()
			}
			if domain.KindOf(err) != want {
				t.Errorf("%q %s: got %v, want %q", label, body, err, want)
			}
		}
	}
}

func TestAnAnswerThatCannotBeUsedIsUnavailable(t *testing.T) {
	encoded := func(encoding string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			w.Header().Set("Retry-After", "7")
			_, _ = io.WriteString(w, "{}")
		}
	}
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"not compressed as it says": encoded("gzip"), "in an encoding that nobody knows": encoded("br"), "in two encodings": encoded("gzip, deflate"), "300": status(300), "304": status(304), "305": status(305), "399": status(399),
	} {
		f := far(t, h)
		_, err := f.forward(t.Context(), turn(t), sent("", "{}"))
		e, ok := errors.AsType[*domain.Error](err)
		if !ok || e.Kind != domain.VoiceflowUnavailable || e.RetryAfter != 7*time.Second {
			t.Errorf("%s: got %v, want VoiceflowUnavailable with RetryAfter", name, err)
		}
	}
	f := far(t, encoded("identity"))
	if _, body := f.read(t, turn(t), sent("", "{}")); body != "{}" {
		t.Errorf("identity: got %q, want it as it is", body)
	}
}

func TestASwitchOfProtocolsIsUnavailable(t *testing.T) {
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("got %v, want VoiceflowUnavailable", err)
	}
}

func TestAnAnswerIsCapped(t *testing.T) {
	export := to(t, domain.ServiceAPI, "GET", "/v2/versions/production/export")
	const most = 100 << 10
	for _, tc := range []struct {
		name        string
		call        domain.Forward
		contentType string
		size        int
		told        bool
		want        int // bytes that come, -1 for an error at once
	}{
		{"as large as it may be", turn(t), "application/json", most, false, most},
		{"as large as it may be, as it says", turn(t), "application/json", most, true, most},
		{"a byte more", turn(t), "application/json", most + 1, false, most},
		{"a byte more, as it says", turn(t), "application/json", most + 1, true, -1},
		{"much more", turn(t), "audio/mp3", 20 * most, false, most},
		{"an export", export, "application/json", 20 * most, true, 20 * most},
		{"events", turn4(t), "text/event-stream", 20 * most, false, 20 * most},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				if tc.told {
					w.Header().Set("Content-Length", fmt.Sprint(tc.size))
				} else {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, strings.Repeat(" ", tc.size))
			}, func(o *voiceflow.Options) { o.MaxAnswer = most })
			resp, err := f.forward(t.Context(), tc.call, sent("", ""))
			if tc.want < 0 {
				if domain.KindOf(err) != domain.VoiceflowUnavailable {
					t.Errorf("got %v, want VoiceflowUnavailable", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			if int(n) != tc.want || (err != nil) != (tc.want != tc.size) || err != nil && domain.KindOf(err) != domain.VoiceflowUnavailable {
				t.Errorf("got %d bytes, %v, want %d", n, err, tc.want)
			}
		})
	}
}

func TestASessionKeyNeverShows(t *testing.T) {
	const secret = "eyJhbGciOiJIUzI1NiJ9.eyJ1In0.c2lnbmF0dXJl"
	for _, tc := range []struct {
		name, body, want string
		started          string
	}{
		{"the key alone", `{"sessionKey":"` + secret + `"}`, `{"sessionKey":"handle \"<\""}`, secret},
		{"with others", ` {"a":1, "sessionKey" : "` + secret + `","userID":"fl-bound-ben"} `, ` {"a":1, "sessionKey" : "handle \"<\"","userID":"ben"} `, secret},
		{"shown elsewhere too", `{"u":"ws://x?k=` + secret + `","sessionKey":"` + secret + `","b":["` + secret + `"]}`,
			`{"u":"ws://x?k=` + strings.Repeat("*", len(secret)) + `","sessionKey":"handle \"<\"","b":["` + strings.Repeat("*", len(secret)) + `"]}`, secret},
		{"written with escapes", `{"sessionKey":"a\/b\u002b","c":"a/b+","d":"a\/b\u002b"}`, `{"sessionKey":"handle \"<\"","c":"****","d":"**********"}`, "a/b+"},
		{"no key", `{"a":1}`, "", ""},
		{"an empty key", `{"sessionKey":""}`, "", ""},
		{"a key that is a number", `{"sessionKey":1}`, "", ""},
		{"a key deeper down", `{"data":{"sessionKey":"x"}}`, "", ""},
		{"two keys", `{"sessionKey":"x","sessionKey":"y"}`, "", ""},
		{"a list", `["sessionKey","x"]`, "", ""},
		{"an object that is cut", `{"sessionKey":"x"`, "", ""},
		{"something behind it", `{"sessionKey":"x"}x`, "", ""},
		{"a page", `<html>`, "", ""},
		{"nothing", ``, "", ""},
		{"more than 64 KiB", `{"sessionKey":"x","a":"` + strings.Repeat("x", 64<<10) + `"}`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, answer(200, "application/json", tc.body))
			c := start4(t)
			c.Handle = `handle "<"`
			if tc.want == "" {
				got, err := f.forward(t.Context(), c, sent("", `{"userID":"ben"}`))
				if domain.KindOf(err) != domain.VoiceflowUnavailable || got.Started != (ports.Started{}) {
					t.Errorf("got %v, started with %q, want VoiceflowUnavailable", err, got.Started.Key.Reveal())
				}
				return
			}
			resp, body := f.read(t, c, sent("", `{"userID":"ben"}`))
			if body != tc.want || resp.ContentLength != int64(len(tc.want)) || resp.Header.Get("Content-Length") != "" {
				t.Errorf("got %s, length %d, want %s", body, resp.ContentLength, tc.want)
			}
			if user, started := resp.Started.UserID, resp.Started.Key.Reveal(); user != "fl-bound-ben" || started != tc.started {
				t.Errorf("started for %q with %q, want fl-bound-ben and %q", user, started, tc.started)
			}
		})
	}
}

func TestARefusedSessionStartsNone(t *testing.T) {
	for body, want := range map[string]string{`{"sessionKey":"x"}`: "", `{"message":"no"}`: `{"message":"no"}`} {
		f := far(t, answer(422, "application/json", body))
		resp, got := f.read(t, start4(t), sent("", `{"userID":"ben"}`))
		if resp.StatusCode != 422 || got != want {
			t.Errorf("%s: got %d %q, want 422 %q", body, resp.StatusCode, got, want)
		}
		if !resp.Started.Key.IsZero() {
			t.Errorf("%s: one was started", body)
		}
	}
}

func TestNoHeaderBringsASessionKey(t *testing.T) {
	for _, status := range []int{200, 422} {
		f := far(t, func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"ETag", "Last-Modified", "X-RateLimit-Limit", "Content-Disposition", "Retry-After"} {
				w.Header().Set(name, "a value")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"sessionKey":"x"}`)
		})
		resp, _ := f.read(t, start4(t), sent("", `{"userID":"ben"}`))
		resp.Header.Del("Content-Type")
		if diff := cmp.Diff(http.Header{"Retry-After": {"a value"}}, resp.Header); diff != "" {
			t.Errorf("%d: -want +got:\n%s", status, diff)
		}
	}
}

func TestUsedUpCreditsAreToldForTurns(t *testing.T) {
	const trace = `{"type":"debug","payload":{"message":"credit_limit_reached"}}`
	for _, tc := range []struct {
		name, contentType, body string
		call                    domain.Forward
		want                    bool
	}{
		{"a turn", "application/json", "[" + trace + "," + trace + "]", turn(t), true},
		{"a streamed turn", "text/event-stream", "data: " + trace + "\n\ndata: " + trace + "\n\n", turn4(t), true},
		{"a turn without", "application/json", `[{"type":"text"}]`, turn(t), false},
		{"a state that a caller has set", "application/json", `{"traces":[` + trace + `]}`, state(t), false},
		{"a transcript that has it", "application/json", "[" + trace + "]", to(t, domain.ServiceAnalytics, "GET", "/v1/transcript/t1"), false},
	} {
		for _, bound := range []bool{true, false} {
			f := far(t, answer(200, tc.contentType, tc.body))
			c := tc.call
			if !bound {
				c.UserIDs = domain.UserIDs{}
			}
			resp, body := f.read(t, c, sent("", "{}"))
			if told := resp.Body.CreditsUsedUp(); told != tc.want || body != tc.body {
				t.Errorf("%s: told %v, want %v; got %s", tc.name, told, tc.want, body)
			}
		}
	}
}
