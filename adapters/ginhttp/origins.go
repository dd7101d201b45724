package ginhttp

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/domain"
)

// origins decides which pages of other origins may call.
type origins struct {
	trusted    map[string]bool
	protection *http.CrossOriginProtection
	cors       gin.HandlerFunc // nil if there is no trusted origin
}

func newOrigins(trusted []string) (origins, error) {
	o := origins{trusted: make(map[string]bool), protection: http.NewCrossOriginProtection()}
	for _, origin := range trusted {
		// Only an origin as a browser writes it can match. A pattern is not an origin.
		parsed, err := domain.ParseOrigin(origin)
		if err != nil || string(parsed) != origin || strings.Contains(origin, "*") {
			return origins{}, errors.New("ginhttp: a trusted origin must be written like https://console.example.com, without path or default port")
		}
		if err := o.protection.AddTrustedOrigin(origin); err != nil {
			return origins{}, err
		}
		o.trusted[origin] = true
	}
	if o.any() {
		o.cors = cors.New(cors.Config{
			AllowOrigins: trusted,
			AllowMethods: []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
			// The other headers that clients of Voiceflow send, whether they count here or not.
			AllowHeaders:     []string{"Content-Type", "Authorization", "Accept", "Last-Event-ID", "versionID", "projectID", "sessionID"},
			ExposeHeaders:    []string{"X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
			AllowCredentials: true,
			MaxAge:           10 * time.Minute,
		})
	}
	return o, nil
}

func (o origins) any() bool { return len(o.trusted) > 0 }

// answer adds the CORS headers for a trusted origin. It reports whether the answer is complete,
// as for a preflight. Other origins never reach the CORS library, which would answer them
// itself.
func (o origins) answer(c *gin.Context) bool {
	if !o.trusted[c.Request.Header.Get("Origin")] {
		return false
	}
	o.cors(c)
	return c.IsAborted()
}

// check refuses a request that changes something and comes from a page of another origin that is
// not trusted.
func (o origins) check(r *http.Request) error {
	if err := o.protection.Check(r); err != nil {
		return &domain.Error{Kind: crossOrigin, Cause: err}
	}
	return nil
}
