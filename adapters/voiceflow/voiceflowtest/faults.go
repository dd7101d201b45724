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

// Fault answers a request in place of the Server. answer is the handler that would have answered
// it. Tests may write their own faults.
type Fault func(w http.ResponseWriter, r *http.Request, answer http.Handler)

// Silent accepts the request and sends nothing until the client leaves.
func Silent() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
	}
}

// SlowBody sends the header of the answer at once, and then one byte of its body for each tick,
// such as those of a [time.Ticker]. Without ticks, or with a nil channel, the body never comes.
// It ends when the client leaves.
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

// EndlessBody sends an export that never ends, with one member of 1 KiB after the other. It ends
// when the client leaves.
func EndlessBody() Fault {
	return endless(`{"_version":"1.2"`, `,"more":["`+strings.Repeat("more ", 200)+`"]`)
}

// EndlessSpace sends the beginning of an export, and then white space without end. It ends when
// the client leaves.
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

// GiantString sends a well-formed JSON object with one string of that many bytes. It makes the
// string while it sends it.
func GiantString(size int64) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, err := io.WriteString(w, `{"diagrams":"`)
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		for left := size; left > 0 && err == nil; left -= int64(len(chunk)) {
			_, err = w.Write(chunk[:min(left, int64(len(chunk)))])
		}
		_, _ = io.WriteString(w, `"}`) // after an error this write fails too
	}
}

// Nested sends a JSON object that contains arrays within arrays, of that depth.
func Nested(depth int) Fault {
	return Answer(http.StatusOK, "application/json; charset=utf-8",
		`{"diagrams":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`)
}

// Truncated sends the answer without its last bytes. The transfer ends as if it were complete.
// The answer is held in memory.
func Truncated(missing int) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.head(w)
		_, _ = w.Write(good.body.Bytes()[:max(0, good.body.Len()-missing)])
	}
}

// Followed sends the answer with text after it.
func Followed(text string) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		answer.ServeHTTP(w, r)
		_, _ = io.WriteString(w, text)
	}
}

// Member sends the answer, a JSON object, with one more member at its end, such as a second
// `project`. The answer is held in memory.
func Member(name, value string) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		good.head(w)
		_, _ = fmt.Fprintf(w, "%s,%q:%s}", bytes.TrimSuffix(good.body.Bytes(), []byte("}")), name, value)
	}
}

// WrongLength sends the answer with a Content-Length that is wrong by that many bytes. The body
// is too short for a positive number, and too long for a negative one. The answer is held in
// memory. It needs HTTP/1.
func WrongLength(off int) Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		good := hear(r, answer)
		conn := hijack(w)
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", good.status,
			http.StatusText(good.status), good.header.Get("Content-Type"), good.body.Len()+off, good.body.Bytes())
	}
}

// Reset cuts the connection, as a crash does, after the header and that many bytes of the
// answer's body. If sent is negative, it cuts before the header. The answer is held in memory.
// It needs HTTP/1.
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
			// Without lingering, a close sends RST instead of FIN.
			_ = tcp.SetLinger(0)
		}
		_ = raw.Close()
	}
}

// Redirect redirects the client to location, with a 301, 302, 307 or 308.
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

// RetryLater refuses with a status such as 429 or 503 and a Retry-After. The Retry-After may be
// anything: seconds, an HTTP date (RFC 9110, section 10.2.3), or nonsense. Voiceflow also sends
// 0.
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

// Answer sends exactly this answer, such as invalid JSON, JSON that is not an export, or an
// export that a test made up.
func Answer(status int, contentType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// GzipGarbage announces a compressed body and sends a body that is not compressed.
func GzipGarbage() Fault {
	return func(w http.ResponseWriter, r *http.Request, answer http.Handler) {
		w.Header().Set("Content-Encoding", "gzip")
		answer.ServeHTTP(w, r)
	}
}

// CreditsUsedUp sends the answer to a turn of an assistant whose credits are used up. It is a
// 200 with one trace of type debug that says credit_limit_reached, as was seen at Voiceflow. The
// rest of that trace was chosen. A refusal, and an answer that is not for a turn, stay as they
// are. The answer is held in memory.
func CreditsUsedUp() Fault {
	debug := encode(newTrace("debug", map[string]any{"type": "error", "message": "credit_limit_reached"}))
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

// Events sends a stream of server-sent events that a test releases one at a time. The header
// goes out before the first event. Each event from next goes out at once and alone, with a blank
// line after it. The stream ends properly when next is closed, and when the client leaves.
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

// Ticking sends a stream of n server-sent events, each flushed alone, no faster than one per
// every. The data of an event is {"n":1,"sent":…}: its number, from 1, and the time at which it
// was sent, in Unix nanoseconds. A test uses the time to tell which events may arrive together.
// The stream ends when the client leaves.
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

// StrayHeaders sends the answer with headers that a caller must not get: a cookie, headers for
// one connection only (RFC 9110, section 7.6.1), a header that Connection names, and headers
// that name the server software.
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

// Echo answers with the status and repeats Authorization. It is in the body twice, once in two
// parts that are sent apart, and in headers, among them the content type. A stream is answered
// with events, everything else with JSON.
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

// heard is an answer that was recorded before it was sent.
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

// hijack takes the connection from the server. An HTTP/2 connection can't be taken, so the
// stream is cut instead.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}
