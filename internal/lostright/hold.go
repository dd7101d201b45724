package lostright

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Limit is how long a request may be held. It is well below the time that the server gives a
// client for a whole request.
const Limit = 10 * time.Second

// Held is a request whose last byte was not sent.
type Held struct {
	conn   net.Conn
	answer *bufio.Reader
	last   []byte
	began  time.Time
}

// Hold sends r over a connection of its own, except for the last byte of its body. It returns
// when the server has begun to read the body: by then the server knows who calls. It fails if
// the server answers before that.
func Hold(r *http.Request) (*Held, error) {
	r.Header.Set("Expect", "100-continue") // so the server tells when it begins to read
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		return nil, err
	}
	head, body, _ := bytes.Cut(text.Bytes(), []byte("\r\n\r\n"))
	if len(body) == 0 {
		return nil, fmt.Errorf("%s %s has no body", r.Method, r.URL.Path)
	}
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		return nil, err
	}
	h := &Held{conn: conn, answer: bufio.NewReader(conn), last: body[len(body)-1:], began: time.Now()}
	if err := h.begin(append(head, "\r\n\r\n"...), body[:len(body)-1]); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return h, nil
}

func (h *Held) begin(head, body []byte) error {
	if err := h.conn.SetDeadline(h.began.Add(2 * Limit)); err != nil {
		return err
	}
	if _, err := h.conn.Write(head); err != nil {
		return err
	}
	said, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		return err
	}
	_ = said.Body.Close()
	if said.StatusCode != http.StatusContinue {
		return fmt.Errorf("answered %d before the body was read", said.StatusCode)
	}
	_, err = h.conn.Write(body)
	return err
}

// Finish sends the last byte and returns the answer with its body. It fails if the request was
// held for longer than Limit.
func (h *Held) Finish() (*http.Response, []byte, error) {
	defer func() { _ = h.conn.Close() }()
	if held := time.Since(h.began); held > Limit {
		return nil, nil, fmt.Errorf("the request was held for %v, more than %v", held, Limit)
	}
	if _, err := h.conn.Write(h.last); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(response.Body)
	return response, said, err
}
