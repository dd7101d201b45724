package app

import (
	"time"
	"unicode/utf8"

	"github.com/flowlatch/flowlatch/domain"
)

// MaxNotice is the longest notice, in bytes.
const MaxNotice = 500

// noticeLifetime is how long a notice can be read.
const noticeLifetime = time.Minute

// SealNotice returns the value of a cookie that shows the text to the caller within the next minute,
// such as that a form worked. It opens for the same user only. The text is not a secret. Returns
// Invalid if the text is longer than MaxNotice or not valid UTF-8. Errors of the cipher are passed
// on.
func (s *Service) SealNotice(call domain.Call, text string) (cookie string, err error) {
	if len(text) > MaxNotice || !utf8.ValidString(text) {
		return "", &domain.Error{Kind: domain.Invalid, Public: "a notice has at most 500 bytes of UTF-8"}
	}
	ends := domain.Instant(s.ports.Clock().Add(noticeLifetime))
	return s.cookies.SealUntil(ends, text, domain.BindNotice(call.Caller.ID))
}

// OpenNotice reverses SealNotice. ok is false if the cookie is not a notice for the caller, if it has
// expired, or if the cipher can't answer.
func (s *Service) OpenNotice(call domain.Call, cookie string) (text string, ok bool) {
	if cookie == "" {
		return "", false
	}
	text, ends, err := s.cookies.OpenUntil(domain.BindNotice(call.Caller.ID), cookie)
	if err != nil || !s.ports.Clock().Before(ends) {
		return "", false
	}
	return text, true
}
