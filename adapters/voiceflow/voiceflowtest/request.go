package voiceflowtest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
)

const (
	// keptRequests bounds what a Server that runs for long remembers.
	keptRequests = 1000
	// keptBody is Voiceflow's own limit for the body of a turn.
	keptBody = 1 << 20
	// readBody is more than Voiceflow takes of a document.
	readBody = 32 << 20
)

// Request is a request as the Server received it.
type Request struct {
	Method string
	// URI is the target as the request line had it, path and query, undecoded.
	URI string
	// URL is that target, read: EscapedPath is the path as it came, and RawQuery
	// the query.
	URL *url.URL
	// Path is the decoded path.
	Path string
	// Host is the host that the client meant to reach.
	Host string
	// Header is a copy and holds the key, in Authorization.
	Header http.Header
	// Body is what the client sent, up to 1 MiB, and Size how much that was, up to
	// 32 MiB, of which the rest is not read.
	Body []byte
	Size int64
	// Done is closed when the Server has finished with the request, also when
	// that was because the client left.
	Done <-chan struct{}
}

// record reads the body to its end, without which net/http would not notice a
// client that leaves, and hands it on to the handler.
func (s *Server) record(r *http.Request, done <-chan struct{}) error {
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
	}
	s.mu.Lock()
	keep, watch := s.keep, s.watch
	s.mu.Unlock()
	if keep > 0 || watch != nil {
		// A copy, so that what is kept is not more than it seems.
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
