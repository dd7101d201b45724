package ginhttp

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/flowlatch/flowlatch/app/session"
)

// The names of the cookies.
const (
	userCookie      = "user_session"
	assistantCookie = "assistant_session"
)

// cookies holds the attributes that all cookies get.
type cookies struct {
	insecure bool
	sameSite http.SameSite
}

func newCookies(o Options) (cookies, error) {
	c := cookies{insecure: o.InsecureCookies, sameSite: o.SameSite}
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

// set sends a cookie. A cookie that ends with the browser has no Max-Age. The Max-Age of any
// other is rounded up to a second, because zero would end it with the browser too.
func (c cookies) set(x *exchange, name string, cookie session.Cookie) {
	c.write(x, name, cookie.Text, int(wholeSeconds(cookie.MaxAge)))
}

// renew sends a cookie if it was resealed.
func (c cookies) renew(x *exchange, name string, cookie session.Cookie) {
	if cookie.Text != "" {
		c.set(x, name, cookie)
	}
}

// clear makes the browser forget a cookie.
func (c cookies) clear(x *exchange, name string) { c.write(x, name, "", -1) }

func (c cookies) write(x *exchange, name, text string, maxAge int) {
	// A cookie that the route sets replaces one that was resealed before.
	h := x.c.Writer.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name+"=") })
	http.SetCookie(x.c.Writer, &http.Cookie{
		Name: name, Value: text, Path: "/", MaxAge: maxAge,
		Secure: !c.insecure, HttpOnly: true, SameSite: c.sameSite,
	})
}

// onlyCookie returns the text of the cookie of that name, or "" if there is none. Several
// cookies of one name count as none. A neighboring host can plant a cookie of that name and
// choose which one comes first.
func onlyCookie(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}
