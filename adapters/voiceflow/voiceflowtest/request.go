package voiceflowtest

import (
	"bytes"
	"io"
	"net/http"
)

const (
	// keptRequests bounds what a Server that runs for long remembers.
	keptRequests = 1000
	// keptBody is Voiceflow's own limit for a request body.
	keptBody = 1 << 20
)

// Request is a request as the Server received it.
type Request struct {
	Method string
	// URI is the target as the request line had it, path and query, undecoded.
	URI string
	// Path is the decoded path.
	Path string
	// Host is the host that the client meant to reach.
	Host string
	// Header is a copy and holds the key, in Authorization.
	Header http.Header
	// Body is what the client sent, up to 1 MiB.
	Body []byte
	// Done is closed when the Server has finished with the request, also when
	// that was because the client left.
	Done <-chan struct{}
}

// record reads the body to its end, without which net/http would not notice a
// client that leaves, and hands it on to the handler.
func (s *Server) record(r *http.Request, done <-chan struct{}) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, keptBody))
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == keptRequests {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, Request{
		Method: r.Method,
		URI:    r.RequestURI,
		Path:   r.URL.Path,
		Host:   r.Host,
		Header: r.Header.Clone(),
		Body:   body,
		Done:   done,
	})
	s.recorded++
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}
