package console

import (
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// functions are what templates can call.
func (c *console) functions() template.FuncMap {
	return template.FuncMap{
		"url":      c.url,
		"static":   func(name string) string { return c.url(staticPath + c.assets.names[name]) },
		"utc":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"link":     link,
		"sentence": sentence,
		"span":     span,
		"count":    count,
		"digits":   digits,
		"needs":    needs,
		"command":  func(id, text string) command { return command{id, text} },
		"percent":  percent,
		"mean":     mean,
		"field":    dateField,
	}
}

// navLink is a link of the navigation.
type navLink struct {
	Path, Name string
	Current    bool
}

// link returns a link of the navigation of the page v.
func link(v view, path, name string) navLink {
	current := v.Path == path || path != home && strings.HasPrefix(v.Path, path+"/")
	return navLink{Path: path, Name: name, Current: current}
}

// fieldWords replaces names of parameters in messages by the words that the forms have for them.
var fieldWords = strings.NewReplacer(
	"environments.default", "the default environment", "environments.allowed", "the allowed environments",
	"environments.allow_draft", "the drafts that calls can use", "voiceflow_project_id", "the Voiceflow project id",
	"version_id", "the version id or alias", "user_id", "the user", "project_id", "the assistant",
	"new_password", "the new password",
	"expires_in_days", "the number of days", "overlap_hours", "the number of hours", "group_by", "the grouping",
	", so wait for the seconds in Retry-After", "", "; try again later", "", // the page says when
)

// sentence returns a message of the service, which begins in lower case and has no full stop, as a
// sentence of a page.
func sentence(message string) string {
	message, _, _ = strings.Cut(message, "; see docs/") // a page of the project, for programmers
	message = fieldWords.Replace(message)
	first, size := utf8.DecodeRuneInString(message)
	if size == 0 {
		return ""
	}
	message = string(unicode.ToUpper(first)) + message[size:]
	if strings.HasSuffix(message, ".") {
		return message
	}
	return message + "."
}

// span returns how long d is, rounded up, for a person.
func span(d time.Duration) string {
	n, unit := int64((d+time.Second-1)/time.Second), "second"
	switch {
	case n >= 2*60*60:
		n, unit = (n+3599)/3600, "hour"
	case n >= 2*60:
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " " + unit
}
