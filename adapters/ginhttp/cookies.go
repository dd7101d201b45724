package ginhttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/app/session"
	"github.com/flowlatch/flowlatch/domain"
)

// The names of the cookies, without what the settings put before them.
var cookieNames = map[domain.SessionKind]string{
	domain.LoginSession:     "user_session",
	domain.AssistantSession: "assistant_session",
}

// cookies holds the names of the cookies and the attributes that all of them get.
type cookies struct {
	insecure bool
	sameSite http.SameSite
	path     string
	names    map[domain.SessionKind][]string // the name that is sent, then the earlier ones
	begins   string                          // what names of the pages' own cookies begin with
}

// hostPrefix makes browsers keep a cookie only if this host itself sent it over TLS for all paths.
// So no neighbor can plant it (draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
const hostPrefix = "__Host-"

func newCookies(o Options, base domain.BaseURL) (cookies, error) {
	prefix, err := domain.ParseCookiePrefix(o.CookiePrefix)
	if err != nil {
		return cookies{}, fmt.Errorf("ginhttp: %w", err)
	}
	c := cookies{insecure: o.InsecureCookies, sameSite: o.SameSite, path: "/", names: map[domain.SessionKind][]string{}, begins: prefix}
	if base.Path != "" {
		c.path = base.Path
	}
	if !c.insecure && c.path == "/" && (o.ServesTLS || base.HTTPS()) {
		c.begins = hostPrefix + prefix
	}
	for kind, name := range cookieNames {
		names := []string{prefix + name, name}
		if c.begins != prefix {
			names = slices.Insert(names, 0, c.begins+name)
		}
		c.names[kind] = slices.Compact(names)
	}
	switch c.sameSite {
	case 0:
		c.sameSite = http.SameSiteLaxMode
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if c.insecure {
			return cookies{}, errors.New("ginhttp: cookies with SameSite=None must be Secure")
		}
	default:
		return cookies{}, errors.New("ginhttp: SameSite must be Lax, Strict or None")
	}
	return c, nil
}

// single reports whether a browser can hold only one cookie of a kind that this host itself sent:
// no setting changed its name or its path.
func (c cookies) single(kind domain.SessionKind) bool {
	return c.path == "/" && len(c.names[kind]) == 1
}

// set sends a cookie. A cookie that ends with the browser has no Max-Age. The Max-Age of any
// other is rounded up to a second, because zero would end it with the browser too.
func (c cookies) set(x *exchange, kind domain.SessionKind, cookie session.Cookie) {
	c.write(x, c.names[kind][0], c.path, cookie.Text, int(wholeSeconds(cookie.MaxAge)), c.sameSite)
}

// clear makes the browser forget a cookie. The browser does not say which path a cookie has. It is
// the path of now, or "/" if the cookie is older than the base URL. At "/", a cookie of that name
// may belong to another installation. So it is cleared there only if h says that it can't.
func (c cookies) clear(x *exchange, h heldCookie) {
	c.write(x, h.name, c.path, "", -1, c.sameSite)
	if c.path != "/" && h.ours {
		c.write(x, h.name, "/", "", -1, c.sameSite)
	}
}

func (c cookies) write(x *exchange, name, path, text string, maxAge int, sameSite http.SameSite) {
	// A cookie that the route sets replaces one that was resealed before.
	h, at := x.c.Writer.Header(), "; Path="+path+";"
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, name+"=") && strings.Contains(line, at)
	})
	http.SetCookie(x.c.Writer, &http.Cookie{
		Name: name, Value: text, Path: path, MaxAge: maxAge,
		Secure: !c.insecure, HttpOnly: true, SameSite: sameSite,
	})
}
