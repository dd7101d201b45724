package ginhttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve lets server answer requests at l until ctx is done. Then it accepts no more requests and
// waits for the open ones, up to the time within. It cuts those that have not ended by then.
//
// Returns nil if all requests have ended. Returns context.DeadlineExceeded if requests were
// cut. Returns the error of server.Serve if serving ended before ctx was done.
func Serve(ctx context.Context, server *http.Server, l net.Listener, within time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving ended: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
