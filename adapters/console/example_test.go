package console_test

import (
	"log"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/adapters/console"
	"github.com/flowlatch/flowlatch/adapters/ginhttp"
	"github.com/flowlatch/flowlatch/app"
)

// A host program mounts the pages beside the JSON routes, below its own login.
func Example() {
	var (
		service  *app.Service     // from app.Open
		identify ginhttp.Identify // the host's login
	)
	mount := func(router gin.IRouter) error {
		const at = "https://example.com/flowlatch"
		pages, err := console.New(service, console.Options{BaseURL: at})
		if err != nil {
			return err
		}
		return ginhttp.Mount(router, service, ginhttp.Options{BaseURL: at, Identify: identify, Pages: pages})
	}
	if service == nil { // there is no host here
		return
	}
	if err := mount(gin.New()); err != nil {
		log.Fatal(err)
	}
}
