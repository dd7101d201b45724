package voiceflowtest

import (
	"bytes"
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
