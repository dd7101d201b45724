package ginhttp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/flowlatch/flowlatch/adapters/ginhttp"
)

// served is a server of Serve with one open request.
type served struct {
	end      context.CancelFunc
	handling context.Context  // of the request
	release  chan struct{}    // closing it lets the request end
	answered chan error       // the error of the client
	ended    chan error       // what Serve returned
	listener *net.TCPListener // of Serve
}

// serveOne serves one request, which waits for release, until end is called.
func serveOne(t *testing.T, within time.Duration) served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	s := served{end: end, release: make(chan struct{}), answered: make(chan error, 1), ended: make(chan error, 1), listener: l.(*net.TCPListener)}
	handling := make(chan context.Context, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handling <- r.Context()
		<-s.release
	})}
	go func() { s.ended <- ginhttp.Serve(ctx, server, l, within) }()
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
		if err == nil {
			var resp *http.Response
			if resp, err = new(http.Client).Do(req); err == nil {
				err = resp.Body.Close()
			}
		}
		s.answered <- err
	}()
	s.handling = <-handling
	return s
}

func TestServeWaitsForOpenRequests(t *testing.T) {
	t.Parallel()
	s := serveOne(t, time.Hour)
	s.end()
	for { // until Serve accepts no more connections
		conn, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-s.ended:
		t.Fatalf("Serve ended with error %v while a request was open", err)
	default:
	}
	close(s.release)
	if err := errors.Join(<-s.answered, <-s.ended); err != nil {
		t.Errorf("got error %v, want the request answered and Serve ended without one", err)
	}
}

func TestServeCutsRequestsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	s := serveOne(t, time.Millisecond)
	s.end()
	if err := <-s.ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: got error %v, want context.DeadlineExceeded", err)
	}
	if err := <-s.answered; err == nil {
		t.Error("the request was answered, want it cut")
	}
	<-s.handling.Done()
	close(s.release)
}

func TestServeReturnsWhyServingEnded(t *testing.T) {
	t.Parallel()
	s := serveOne(t, time.Hour)
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: got error %v, want net.ErrClosed", err)
	}
	close(s.release)
	if err := <-s.answered; err != nil {
		t.Errorf("the open request: got error %v, want it answered", err)
	}
	s.end()
}
