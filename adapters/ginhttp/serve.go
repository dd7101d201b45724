package ginhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/flowlatch/flowlatch/domain"
)

// lastWords is how long requests that are ended have to write their answers.
const lastWords = 500 * time.Millisecond

// Serve lets server answer requests at l until ctx is done. Then it accepts no more requests and
// waits for the open ones, up to the time within. It ends the contexts of those that have not
// ended by then, so that they answer with an error, and cuts them half a second later. Without an
// answer, browsers and other clients may repeat a call that was carried out. Serve sets BaseContext
// of server, and keeps what it was.
//
// Returns nil if all requests have ended in time. Returns context.DeadlineExceeded if requests
// were ended. Returns the error of server.Serve if serving ended before ctx was done.
func Serve(ctx context.Context, server *http.Server, l net.Listener, within time.Duration) error {
	parent := server.BaseContext
	if parent == nil {
		parent = func(net.Listener) context.Context { return context.Background() }
	}
	ending, end := context.WithCancelCause(parent(l))
	defer end(nil)
	server.BaseContext = func(net.Listener) context.Context { return ending }
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving ended: %w", err)
	case <-ctx.Done():
	}
	if err := shutdown(ctx, server, within); err != nil {
		end(&domain.Error{Kind: domain.Unavailable, Public: "the service is stopping; try again"})
		_ = shutdown(ctx, server, lastWords)
		return errors.Join(err, server.Close())
	}
	return nil
}

// shutdown waits until the open requests have ended, up to the time within.
func shutdown(ctx context.Context, server *http.Server, within time.Duration) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	return server.Shutdown(limited)
}
