// A program with a gin server and a login of its own, which takes Flowlatch's routes in.
package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/bunstore"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/adapters/tinkcipher"
	"github.com/flowlatch/flowlatch/adapters/voiceflow"
	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func main() {
	ctx, folder := context.Background(), os.Getenv("DATA_DIR")
	store, err := bunstore.Open(ctx, domain.NewSecret("sqlite://"+folder+"/flowlatch.db"), bunstore.Options{})
	check(err)
	client, err := voiceflow.New(voiceflow.Options{BaseURL: os.Getenv("VOICEFLOW_API_URL"), RuntimeURL: os.Getenv("VOICEFLOW_RUNTIME_URL")})
	check(err)
	cipher := tinkcipher.NewFile(folder+"/keyset.json", tinkcipher.FileOptions{})
	service, err := app.Open(ctx, app.Ports{
		Store: store.Ports(), Cipher: cipher, Keyring: cipher, Pseudonyms: tinkcipher.NewPseudonyms(), Voiceflow: client,
	}, app.Options{})
	check(err)
	defer service.Start(func(what string, err error) { log.Println(what, err) })()
	router := gin.New()
	check(ginhttp.Mount(router, service, ginhttp.Options{Identify: identify}))
	listener, err := net.Listen("tcp", os.Getenv("ADDR"))
	check(err)
	log.Println("listening on", listener.Addr())
	check(http.Serve(listener, router))
}

// identify says who calls; nobody has no ID. Here a proxy in front logs people in, sets
// these headers, and takes away those that others send.
func identify(r *http.Request) (domain.Caller, error) {
	user, groups := r.Header.Get("X-Forwarded-User"), r.Header.Get("X-Forwarded-Groups")
	return domain.Caller{ID: domain.UserID(user), Admin: groups == "admins"}, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
