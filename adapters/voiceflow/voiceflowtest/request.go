package voiceflowtest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
)

const (
	// keptRequests is the number of requests that a Server remembers by default.
	keptRequests = 1000
	// keptBody is Voiceflow's own limit for the body of a turn, in bytes.
	keptBody = 1 << 20
	// readBody is how much of a body is read, in bytes. It is more than Voiceflow accepts for a
	// document.
	readBody = 32 << 20
)

// Request is a request as the Server received it.
type Request struct {
	Method string
	// URI is the target in the request line, path and query, undecoded.
	URI string
	// URL is the parsed target. EscapedPath is the path as it was sent, and RawQuery is the
	// query.
	URL *url.URL
	// Path is the decoded path.
	Path string
	// Host is the host that the client named.
	Host string
	// Header is a copy. It contains the key, in Authorization.
	Header http.Header
	// Body is what the client sent, up to 1 MiB. Size is how much that was, up to 32 MiB. The
	// rest is not read.
	Body []byte
	Size int64
	// Done is closed when the Server has finished with the request, also if the client left.
	Done <-chan struct{}

	answered *atomic.Pointer[Answered]
}

// record reads the body and passes it on to the handler. It reads to the end, because otherwise
// net/http would not notice a client that leaves.
func (s *Server) record(r *http.Request, done <-chan struct{}, answered *atomic.Pointer[Answered]) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, readBody))
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	target := *r.URL
	received := Request{
		Method: r.Method,
		URI:    r.RequestURI,
		URL:    &target,
		Path:   r.URL.Path,
		Host:   r.Host,
		Header: r.Header.Clone(),
		Size:   int64(len(body)),
		Done:   done,

		answered: answered,
	}
	s.mu.Lock()
	keep, watch := s.keep, s.watch
	s.mu.Unlock()
	if keep > 0 || watch != nil {
		// It is a copy, so that no larger buffer is kept.
		received.Body = bytes.Clone(body[:min(len(body), keptBody)])
	}
	if watch != nil {
		watch(received)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keep > 0 {
		if len(s.requests) == s.keep {
			s.requests = s.requests[1:]
		}
		s.requests = append(s.requests, received)
	}
	s.recorded++
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}
