package voiceflow_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/domain"
)

// flusher is an encoder whose parts can be sent while it goes on.
type flusher interface {
	io.WriteCloser
	Flush() error
}

// encoders are the encodings that are decoded, by a name and the value of Content-Encoding.
var encoders = map[[2]string]func(io.Writer) flusher{
	{"gzip", "gzip"}:                           func(w io.Writer) flusher { return gzip.NewWriter(w) },
	{"gzip in capitals", "GZIP"}:               func(w io.Writer) flusher { return gzip.NewWriter(w) },
	{"gzip by its older name", "x-gzip"}:       func(w io.Writer) flusher { return gzip.NewWriter(w) },
	{"gzip beside identity", "identity, gzip"}: func(w io.Writer) flusher { return gzip.NewWriter(w) },
	{"deflate", "deflate"}:                     func(w io.Writer) flusher { return zlib.NewWriter(w) },
	{"deflate without a header", "deflate"}: func(w io.Writer) flusher {
		f, _ := flate.NewWriter(w, flate.DefaultCompression) // this level is valid
		return f
	},
}

func TestAnEncodedAnswerIsDecodedAndFiltered(t *testing.T) {
	stars := strings.Repeat("*", len(key.Reveal()))
	long := strings.Repeat("x", 100<<10)
	for encoding, to := range encoders {
		for _, tc := range []struct {
			name, contentType string
			status            int
			body, want        string // KEY is the credential
			length            bool   // it is known
		}{
			{"small JSON", "application/json", 200, `[{"userID":"fl-bound-ben","a":"KEY"}]`, `[{"userID":"ben","a":"` + stars + `"}]`, true},
			{"large JSON", "application/json", 200, `[{"userID":"fl-bound-ben","a":"` + long + `KEY"}]`, `[{"userID":"ben","a":"` + long + stars + `"}]`, false},
			{"text", "text/plain", 200, "KEY", stars, false},
			{"no text", "application/json", 200, "", "", true},
			{"a refusal", "application/json", 404, `{"message":"KEY"}`, `{"message":"` + stars + `"}`, true},
			{"a refusal that is no JSON", "text/html", 503, `<html>KEY`, "", true},
		} {
			t.Run(encoding[0]+": "+tc.name, func(t *testing.T) {
				f := far(t, func(w http.ResponseWriter, _ *http.Request) {
					var encoded bytes.Buffer
					e := to(&encoded)
					_, _ = io.WriteString(e, strings.ReplaceAll(tc.body, "KEY", key.Reveal()))
					_ = e.Close()
					w.Header().Set("Content-Type", tc.contentType)
					w.Header().Set("Content-Encoding", encoding[1])
					w.Header().Set("Content-Length", fmt.Sprint(encoded.Len()))
					w.WriteHeader(tc.status)
					_, _ = w.Write(encoded.Bytes())
				})
				resp, body := f.read(t, turn(t), sent("", "{}"))
				if resp.StatusCode != tc.status || body != tc.want {
					t.Errorf("got %d %.200q, want %d %.200q", resp.StatusCode, body, tc.status, tc.want)
				}
				if resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Length") != "" || (resp.ContentLength == int64(len(body))) != tc.length {
					t.Errorf("got %v and the length %d, want no encoding, and the length only where it is known", resp.Header, resp.ContentLength)
				}
			})
		}
	}
}

func TestAnEncodedStreamComesAsItIsSent(t *testing.T) {
	for encoding, to := range encoders {
		t.Run(encoding[0], func(t *testing.T) {
			next := make(chan string)
			f := far(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Content-Encoding", encoding[1])
				control, e := http.NewResponseController(w), to(w)
				_ = control.Flush() // the header comes before there is a first part
				for part := range next {
					_, _ = io.WriteString(e, part)
					_ = e.Flush()
					_ = control.Flush()
				}
				_ = e.Close()
			})
			resp, err := f.forward(t.Context(), turn4(t), sent("", "{}"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			buffer := make([]byte, 4096)
			for i := range 3 {
				next <- fmt.Sprintf("data: {\"userID\":\"fl-bound-%d\"}\n\n", i)
				got := ""
				for want := fmt.Sprintf("data: {\"userID\":\"%d\"}\n\n", i); got != want; {
					n, err := resp.Body.Read(buffer)
					if got += string(buffer[:n]); err != nil || !strings.HasPrefix(want, got) {
						t.Fatalf("part %d: got %q, %v, want %q", i, got, err, want)
					}
				}
			}
			close(next)
			if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
				t.Errorf("got %q, %v, want the end", rest, err)
			}
		})
	}
}

func TestAnEncodedAnswerIsCapped(t *testing.T) {
	const most = 100 << 10
	for _, tc := range []struct {
		name, contentType string
		call              domain.Forward
		size, want        int
	}{
		{"as large as it may be", "application/json", turn(t), most, most},
		{"a bomb", "application/json", turn(t), 200 * most, most},
		{"a bomb that is no JSON", "audio/mp3", turn(t), 200 * most, most},
		{"a stream, which has no such limit", "text/event-stream", turn4(t), 20 * most, 20 * most},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := far(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.Header().Set("Content-Encoding", "gzip")
				e := gzip.NewWriter(w)
				_, _ = io.WriteString(e, strings.Repeat(" ", tc.size))
				_ = e.Close()
			}, func(o *voiceflow.Options) { o.MaxAnswer = most })
			resp, err := f.forward(t.Context(), tc.call, sent("", ""))
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
	f := far(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		e := gzip.NewWriter(w)
		_, _ = io.WriteString(e, `{"sessionKey":"`+strings.Repeat(" ", 10<<20)+`"}`)
		_ = e.Close()
	})
	if _, err := f.forward(t.Context(), start4(t), sent("", `{"userID":"ben"}`)); domain.KindOf(err) != domain.VoiceflowUnavailable {
		t.Errorf("a bomb as a session key: got %v, want VoiceflowUnavailable", err)
	}
}

func TestAnEncodedAnswerThatIsBrokenIsUnavailable(t *testing.T) {
	var whole bytes.Buffer
	e := gzip.NewWriter(&whole)
	_, _ = io.WriteString(e, `{"a":1}`)
	_ = e.Close()
	spoiled := bytes.Clone(whole.Bytes())
	spoiled[len(spoiled)-5] ^= 1 // a part of the checksum
	for name, body := range map[string][]byte{
		"cut": whole.Bytes()[:whole.Len()-3], "cut in its header": whole.Bytes()[:5], "spoiled": spoiled, "not encoded": []byte(`{"a":1}`),
		"followed by something else": append(bytes.Clone(whole.Bytes()), "x"...),
	} {
		f := far(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(body)
		})
		if _, err := f.forward(t.Context(), turn(t), sent("", "{}")); domain.KindOf(err) != domain.VoiceflowUnavailable {
			t.Errorf("%s: got %v, want VoiceflowUnavailable before anything is passed on", name, err)
		}
	}
}

// Whatever an encoded answer is, it is passed on within the limit or is VoiceflowUnavailable.
func FuzzEncodedAnswer(f *testing.F) {
	var whole bytes.Buffer
	e := gzip.NewWriter(&whole)
	_, _ = io.WriteString(e, `[{"userID":"fl-bound-ben"}]`)
	_ = e.Close()
	for _, encoding := range []string{"gzip", "deflate", "x-gzip", "br", "gzip, gzip", ""} {
		f.Add(encoding, "application/json", whole.Bytes())
		f.Add(encoding, "text/event-stream", []byte("data: {}\n\n"))
		f.Add(encoding, "", []byte{})
	}
	var encoding, contentType string
	var body []byte
	const most = 1 << 20
	side := far(f, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Encoding"] = []string{encoding}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}, func(o *voiceflow.Options) { o.MaxAnswer = most })
	f.Fuzz(func(t *testing.T, e, c string, b []byte) {
		if strings.ContainsFunc(e+c, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		encoding, contentType, body = e, c, b
		resp, err := side.forward(t.Context(), turn(t), sent("", "{}"))
		if err == nil {
			defer resp.Body.Close()
			var n int64
			if n, err = io.Copy(io.Discard, resp.Body); n > most && !strings.HasPrefix(strings.ToLower(c), "text/event-stream") {
				t.Fatalf("got %d bytes, want at most %d", n, most)
			}
			if resp.Header.Get("Content-Encoding") != "" {
				t.Fatalf("the answer has the encoding %q", resp.Header.Get("Content-Encoding"))
			}
		}
		if err != nil && domain.KindOf(err) != domain.VoiceflowUnavailable {
			t.Fatalf("got %v, want VoiceflowUnavailable", err)
		}
	})
}
