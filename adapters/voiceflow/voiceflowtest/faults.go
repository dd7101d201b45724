package voiceflowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault answers a request in place of the Server. Answer is what would have
// answered it. Tests may write faults of their own.
type Fault func(w http.ResponseWriter, r *http.Request, answer http.Handler)

// Silent takes the request and says nothing until the client leaves.
func Silent() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
	}
}

// SlowBody sends the answer's head at once and then one byte of its body for
// each tick, such as those of a [time.Ticker]. Without ticks, nil included, the
// body never comes. It ends when the client leaves.
func SlowBody(tick <-chan time.Time) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.head(w)
		flush(w)
		for _, b := range good.body.Bytes() {
			select {
			case <-tick:
			case <-r.Context().Done():
				return
			}
			_, _ = w.Write([]byte{b}) // a client that left ends the context
			flush(w)
		}
	}
}

// EndlessBody is an export that never ends and has one member of 1 KiB after the
// other. It ends when the client leaves.
func EndlessBody() Fault {
	return endless(`{"_version":"1.2"`, `,"more":["`+strings.Repeat("more ", 200)+`"]`)
}

// EndlessSpace is an export that opens and then has white space without end. It
// ends when the client leaves.
func EndlessSpace() Fault { return endless(`{`, " \n") }

func endless(opening, forever string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		chunk := []byte(strings.Repeat(forever, 32<<10/len(forever)))
		_, err := io.WriteString(w, opening)
		for err == nil {
			_, err = w.Write(chunk)
		}
	}
}

// GiantString is a well-formed JSON object that holds one string of so many
// bytes. It is made as it is sent.
func GiantString(size int64) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, err := io.WriteString(w, `{"diagrams":"`)
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		for left := size; left > 0 && err == nil; left -= int64(len(chunk)) {
			_, err = w.Write(chunk[:min(left, int64(len(chunk)))])
		}
		_, _ = io.WriteString(w, `"}`) // after a failure this one fails too
	}
}

// Nested is a JSON object that holds arrays within arrays, so many levels deep.
func Nested(depth int) Fault {
	return Answer(http.StatusOK, "application/json; charset=utf-8",
		`{"diagrams":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`)
}

// Truncated is the answer without its last bytes, in a transfer that ends as if
// it were whole. The answer is held in memory.
func Truncated(missing int) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.head(w)
		_, _ = w.Write(good.body.Bytes()[:max(0, good.body.Len()-missing)])
	}
}

// Followed is the answer with text behind it.
func Followed(text string) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		answer.ServeHTTP(w, r)
		_, _ = io.WriteString(w, text)
	}
}

// Member is the answer, a JSON object, with one more member at its end: a second
// `project`, for one. The answer is held in memory.
func Member(name, value string) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.head(w)
		_, _ = fmt.Fprintf(w, "%s,%q:%s}", bytes.TrimSuffix(good.body.Bytes(), []byte("}")), name, value)
	}
}

// WrongLength is the answer under a Content-Length that is off by so many bytes:
// the body is too short for a positive number, too long for a negative one. The
// answer is held in memory. It needs HTTP/1.
func WrongLength(off int) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		conn := hijack(w)
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", good.status,
			http.StatusText(good.status), good.header.Get("Content-Type"), good.body.Len()+off, good.body.Bytes())
	}
}

// Reset cuts the connection, as a crash does, after the head and so many bytes
// of the answer's body; before the head when sent is negative. The answer is
// held in memory. It needs HTTP/1.
func Reset(sent int) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		conn := hijack(w)
		if sent >= 0 {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", good.status,
				http.StatusText(good.status), good.header.Get("Content-Type"), good.body.Len(),
				good.body.Bytes()[:min(sent, good.body.Len())])
		}
		raw := conn
		if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
			raw = secure.NetConn()
		}
		if tcp, ok := raw.(*net.TCPConn); ok {
			// Without lingering, closing sends RST instead of FIN.
			_ = tcp.SetLinger(0)
		}
		_ = raw.Close()
	}
}

// Redirect sends the client to location, with a 301, 302, 307 or 308.
func Redirect(status int, location string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Location", location)
		refuse(w, status, FormText, "")
	}
}

// Status refuses with the status, in the form.
func Status(status int, form ErrorForm) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		refuse(w, status, form, http.StatusText(status))
	}
}

// RetryLater refuses with a status such as 429 or 503 and a Retry-After, which
// may be anything: seconds, of which Voiceflow also sends 0, an HTTP date (RFC
// 9110, 10.2.3), or nonsense.
func RetryLater(status int, retryAfter string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", retryAfter)
		w.Header().Set("X-RateLimit-Limit", "500")
		w.Header().Set("X-RateLimit-Remaining", "0")
		// Voiceflow's own code sends a date here, not seconds.
		w.Header().Set("X-RateLimit-Reset", errorTime)
		refuse(w, status, FormLegacy, http.StatusText(status))
	}
}

// Answer sends exactly this: what is no JSON, JSON that is no export, or an
// export that a test made up.
func Answer(status int, contentType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// GzipGarbage claims a compressed body and sends what is none.
func GzipGarbage() Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		w.Header().Set("Content-Encoding", "gzip")
		answer.ServeHTTP(w, r)
	}
}

// CreditsUsedUp is the answer to a turn of an assistant whose credits are used up:
// a 200 whose only trace is one of debug that says credit_limit_reached, as was
// seen at Voiceflow; the rest of that trace was chosen. A refusal, and what is no
// answer to a turn, stay as they are. The answer is held in memory.
func CreditsUsedUp() Fault {
	debug := encode(trace{time.Now().UnixMilli(), "debug", map[string]any{"type": "error", "message": "credit_limit_reached"}})
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.header.Del("Content-Length")
		body := good.body.Bytes()
		var members map[string]json.RawMessage
		switch {
		case good.status != http.StatusOK:
		case strings.HasPrefix(good.header.Get("Content-Type"), "text/event-stream"):
			opening := ""
			if bytes.HasPrefix(body, []byte("\n")) {
				opening = "\n"
			}
			ending := max(0, bytes.LastIndex(body, []byte("event: end")))
			body = fmt.Appendf(nil, "%sevent: trace\ndata: %s\n\n%s", opening, debug, body[ending:])
		case strings.HasSuffix(r.URL.Path, "/interact") && bytes.HasPrefix(body, []byte("[")):
			body = fmt.Appendf(nil, "[%s]", debug)
		case json.Unmarshal(body, &members) == nil:
			for _, name := range []string{"trace", "traces"} {
				if members[name] != nil {
					members[name] = fmt.Appendf(nil, "[%s]", debug)
					body = encode(members)
				}
			}
		}
		good.head(w)
		_, _ = w.Write(body)
	}
}

// Events is a stream of server-sent events that a test releases one at a time: what
// it sends on next goes out at once and alone, with the blank line that ends an
// event behind it. The head goes out before the first one. It ends well when next
// is closed, and when the client leaves.
func Events(next <-chan string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush(w)
		for {
			select {
			case event, more := <-next:
				if !more {
					return
				}
				_, _ = io.WriteString(w, event+"\n\n") // a client that left ends the context
				flush(w)
			case <-r.Context().Done():
				return
			}
		}
	}
}

// Ticking is a stream of n server-sent events at a pace, at most, each flushed
// alone. Its data is {"n":1,"sent":…}: its number, from 1, and when it was sent, in
// nanoseconds of Unix time, by which a test tells which events may come together.
// It ends when the client leaves.
func Ticking(n int, every time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush(w)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := range n {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
			_, _ = fmt.Fprintf(w, "data: {\"n\":%d,\"sent\":%d}\n\n", i+1, time.Now().UnixNano()) // a client that left ends the context
			flush(w)
		}
	}
}

// StrayHeaders is the answer under headers that are no caller's business: a cookie,
// those that concern one connection only (RFC 9110, 7.6.1), one that Connection
// names, and those that tell what made the answer.
func StrayHeaders() Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		for name, value := range map[string]string{
			"Set-Cookie": "vf=stray; Path=/; HttpOnly", "Connection": "X-Of-This-Connection", "X-Of-This-Connection": "stray",
			"Keep-Alive": "timeout=5", "Proxy-Connection": "keep-alive", "Proxy-Authenticate": "Basic", "Upgrade": "h2c",
			"Server": "stray", "Via": "1.1 stray", "X-Powered-By": "Express", "Alt-Svc": "h3=\":443\"",
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true",
		} {
			w.Header().Set(name, value)
		}
		answer.ServeHTTP(w, r)
	}
}

// Echo answers with the status and tells Authorization back: in its body, twice, of
// which once in two parts that are sent apart, and in headers, among them the type
// of the content. A stream is answered with events, everything else with JSON.
func Echo(status int) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		said := r.Header.Get("Authorization")
		kind, opening, closing := "application/json", `{"statusCode":`+strconv.Itoa(status)+`,"message":"`, `"}`
		if strings.HasSuffix(r.URL.Path, "/stream") && status == http.StatusOK {
			kind, opening, closing = "text/event-stream", "event: trace\ndata: {\"type\":\"debug\",\"payload\":\"", "\"}\n\n"
		}
		w.Header().Set("Content-Type", kind+`; key="`+said+`"`)
		for _, name := range []string{
			"Authorization", "Content-Disposition", "Content-Language", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-Id",
		} {
			w.Header().Set(name, said)
		}
		w.WriteHeader(status)
		half := len(said) / 2
		_, _ = io.WriteString(w, opening+said+" and "+said[:half]) // a client that left reads neither
		flush(w)
		_, _ = io.WriteString(w, said[half:]+closing)
	}
}

// heard is an answer that was caught before it left.
type heard struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func hear(r *http.Request, answer http.Handler) *heard {
	h := &heard{status: http.StatusOK, header: http.Header{}}
	answer.ServeHTTP(h, r)
	return h
}

func (h *heard) Header() http.Header         { return h.header }
func (h *heard) WriteHeader(status int)      { h.status = status }
func (h *heard) Write(p []byte) (int, error) { return h.body.Write(p) }

// head sends everything but the body.
func (h *heard) head(w http.ResponseWriter) {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	w.WriteHeader(h.status)
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// hijack takes the connection from the server. Over HTTP/2 there is none to
// take: the fault then is a cut stream.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}
