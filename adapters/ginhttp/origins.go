package ginhttp

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/flowlatch/flowlatch/domain"
)

// origins decides which pages may call: those of the own origin, and those of trusted ones.
type origins struct {
	own        domain.Origin // of the base URL; "" if the header Host says what it is
	trusted    map[string]bool
	protection *http.CrossOriginProtection
}

func newOrigins(trusted []string, own domain.Origin) (origins, error) {
	o := origins{own: own, trusted: make(map[string]bool), protection: http.NewCrossOriginProtection()}
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
	return o, nil
}

func (o origins) any() bool { return len(o.trusted) > 0 }

// check refuses a request that changes something and comes from a page of another origin that is
// not trusted.
//
// A base URL has the only own origin. The header Host does not count then: a proxy may have
// replaced it, and a page of another name that leads to this machine has its own name there. A
// browser always sends Origin with a request that changes something. What has no Origin goes by
// Sec-Fetch-Site, and what has neither was not sent by a browser.
func (o origins) check(r *http.Request) error {
	if o.own != "" && r.Header.Get("Origin") != "" && !isSafe(r.Method) {
		if o.mayCall(r.Header.Get("Origin")) {
			return nil
		}
		return &domain.Error{Kind: crossOrigin, Cause: errors.New("the origin is not that of the base URL")}
	}
	if err := o.protection.Check(r); err != nil {
		return &domain.Error{Kind: crossOrigin, Cause: err}
	}
	return nil
}

// isSafe reports whether a method changes nothing, as http.CrossOriginProtection has it.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func (o origins) mayCall(origin string) bool {
	if o.trusted[origin] {
		return true
	}
	parsed, err := domain.ParseBaseURL(origin)
	return err == nil && parsed.Origin == o.own && parsed.Path == "/"
}

// met returns what the log says of a request from another origin: where the page is from, and
// what the own origin is. A stranger wrote both, unless there is a base URL.
func (o origins) met(r *http.Request) []slog.Attr {
	return []slog.Attr{
		slog.String("origin", shown(r.Header.Get("Origin"))),
		slog.String("own_origin", cmp.Or(string(o.own), shown(r.Host))),
		slog.String("fetch_site", shown(r.Header.Get("Sec-Fetch-Site"))),
	}
}

// credential finds a Voiceflow key, such as VF.DM.… with 24 hexadecimal digits next or vfp_…, or an
// access token. A browser may have taken its capitals from it.
var credential = regexp.MustCompile(`(?i)VF\.(?:[a-z]+\.)?[0-9a-f]{24}|` + domain.PersonalKeyPrefix + `|` + domain.TokenPrefix)

// shown returns a text of a stranger's for the log: its first 128 bytes, in printable ASCII. A text
// with a credential, which has no business there, is left out.
func shown(text string) string {
	const limit = 128
	if credential.MatchString(text) {
		return "left out: it has a credential"
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text[:min(len(text), limit)])
}

// What a page of a trusted origin may read, besides the headers that every page may read: those
// of this service, and those of Voiceflow that are passed on.
const exposed = "X-Request-Id, Retry-After, Flowlatch-Environment, Flowlatch-Environment-Version, Flowlatch-Token-Expires, " +
	"RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy, " +
	"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Policy, Content-Disposition, ETag"

// answer adds the CORS headers for a trusted origin, and none for any other. It reports whether
// the answer is complete, as for a preflight.
//
// A preflight allows every header that is asked for. Tools for traces and errors add headers to
// the requests of a page, such as traceparent, baggage and sentry-trace. A page that is trusted
// with the cookies may send them, and nothing of them goes to Voiceflow.
func (o origins) answer(c *gin.Context) bool {
	origin := c.Request.Header.Get("Origin")
	if !o.trusted[origin] {
		return false
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if c.Request.Method != http.MethodOptions {
		h.Set("Access-Control-Expose-Headers", exposed)
		return false
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Max-Age", "600")
	if asked := requestedHeaders(c.Request.Header["Access-Control-Request-Headers"]); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	c.AbortWithStatus(http.StatusNoContent)
	return true
}

// requestedHeaders returns the names in Access-Control-Request-Headers as one list. It leaves out
// what is not a name, and ends after 100 names or 4 KiB.
func requestedHeaders(lines []string) string {
	const most, longest = 100, 4 << 10
	var list strings.Builder
	count := 0
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.Trim(name, " \t")
			if !isToken(name) {
				continue
			}
			if count == most || list.Len()+len(", ")+len(name) > longest {
				return list.String()
			}
			if count > 0 {
				list.WriteString(", ")
			}
			list.WriteString(strings.ToLower(name))
			count++
		}
	}
	return list.String()
}

// isToken reports whether text can be the name of a header (RFC 9110, section 5.6.2). An asterisk
// alone would be a wildcard.
func isToken(text string) bool {
	for _, c := range []byte(text) {
		alphanumeric := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != "" && text != "*"
}
