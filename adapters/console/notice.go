package console

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

const (
	// noticeCookie is the name of the cookie that has a notice.
	noticeCookie = "notice"
	// noticeTime is how long a browser keeps it.
	noticeTime = time.Minute
)

// leaveNotice lets the next page that the caller opens within a minute show the text, which must not
// have a secret. If that fails, nobody is told: what the notice is about has worked.
func (x *request) leaveNotice(text string) {
	call := x.Call()
	if x.ended { // the next page is that of the login
		call.Caller = domain.Caller{}
	}
	cookie, err := x.console.service.SealNotice(call, shorten(text, app.MaxNotice))
	if err == nil {
		x.SetCookie(noticeCookie, cookie, noticeTime)
	}
}

// takeNotice returns the notice that the last form left for the caller, and clears it.
func (x *request) takeNotice() string {
	cookie := x.Cookie(noticeCookie)
	if cookie == "" {
		return ""
	}
	x.SetCookie(noticeCookie, "", 0)
	text, _ := x.console.service.OpenNotice(x.Call(), cookie)
	return text
}

// shorten returns the text in valid UTF-8 and at most most bytes. An ellipsis stands for what is
// missing.
func shorten(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
