// A gin server with a login of its own, which mounts the routes of Flowlatch.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func main() {
	if err := run(os.Getenv("DATA_DIR"), os.Getenv("ADDR")); err != nil {
		log.Fatal(err)
	}
}

// run serves until SIGINT or SIGTERM. Then open requests end, the background work stores the
// last counts and refusals, and the database is closed, in this order.
func run(folder, addr string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := bunstore.Open(ctx, domain.NewSecret("sqlite://"+folder+"/flowlatch.db"), bunstore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	cipher := tinkcipher.NewFile(folder+"/keyset.json", tinkcipher.FileOptions{})
	// Empty URLs are those of Voiceflow itself.
	client, err := voiceflow.New(voiceflow.Options{BaseURL: os.Getenv("VOICEFLOW_API_URL"), RuntimeURL: os.Getenv("VOICEFLOW_RUNTIME_URL")})
	if err != nil {
		return err
	}
	service, err := app.Open(ctx, app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: tinkcipher.NewPseudonyms(), Voiceflow: client,
	}, app.Options{})
	if err != nil {
		return err
	}
	defer service.Start(func(what string, err error) { log.Println(what, err) })()
	router := gin.New()
	if err := errors.Join(router.SetTrustedProxies(nil), ginhttp.Mount(router, service, ginhttp.Options{Identify: identify})); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Println("listening on", listener.Addr())
	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 90 * time.Second, IdleTimeout: 2 * time.Minute}
	return ginhttp.Serve(ctx, server, listener, 30*time.Second)
}

// identify returns who calls. Here a proxy in front logs people in and sets these headers. It
// removes those that others send. A caller without an ID is nobody.
func identify(r *http.Request) (domain.Caller, error) {
	return domain.Caller{ID: domain.UserID(r.Header.Get("X-Forwarded-User")), Admin: r.Header.Get("X-Forwarded-Groups") == "admins"}, nil
}
