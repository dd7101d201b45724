package domain

import (
	"net/url"
	"slices"
	"strings"
)

// notForwarded returns the NotFound for a call that no Endpoint takes. The message says which
// Endpoint the caller may have meant. It repeats nothing that the caller sent, because a path may
// hold a secret or an id of a user: it names methods of HTTP, services and templates only.
func notForwarded(service, method, escapedPath string) error {
	return &Error{Kind: NotFound, Public: whyNotForwarded(service, method, escapedPath) + SeeCalls}
}

// AmbiguousPath is the error for a path that can be read in several ways: NotFound.
func AmbiguousPath() error { return &Error{Kind: NotFound, Public: severalWays + SeeCalls} }

const severalWays = "this path can be read in several ways; send it without empty parts, without . and .., and without encoded slashes outside of a user id"

func whyNotForwarded(service, method, escapedPath string) string {
	segments, plain := segmentsOf(escapedPath)
	if !slices.Contains(Services(), Service(service)) {
		if meant, ok := ServiceOf(method, "/"+service+escapedPath); ok {
			return "this call is one of " + string(meant) + "; put the service before its path, as in /voiceflow/" + string(meant)
		}
		return "the path names no service of Voiceflow; after /voiceflow/ comes general-runtime, api, analytics-api or realtime-api"
	}
	if escapedPath == "" || escapedPath == "/" {
		return "the path ends after the service; the path of a call has to come after /voiceflow/" + service
	}
	if !plain {
		return severalWays
	}
	if wordsFit(service, method, segments) {
		return "an id in this path can't be one; an id has only letters, digits, _ and -, so fill in what is in braces and check the rest"
	}
	if methods := methodsAt(service, segments); len(methods) > 0 {
		return "Flowlatch does not forward " + nameOfMethod(method) + " at this path of " + service + ", only " + strings.Join(methods, ", ")
	}
	if meant, ok := ServiceOf(method, escapedPath); ok {
		return "this call is not one of " + service + " but of " + string(meant) + "; put /voiceflow/" + string(meant) + " before its path"
	}
	text := "Flowlatch does not forward this call of " + service
	if near := nearest(service, method, segments); near != nil {
		text += "; the nearest one is " + near.Method + " " + near.Path
	}
	return text
}

// ServiceOf returns the Service with a call of the method at the path, with its percent-encoding.
func ServiceOf(method, escapedPath string) (Service, bool) {
	segments, plain := segmentsOf(escapedPath)
	if !plain {
		return "", false
	}
	for i := range endpoints {
		if endpoints[i].Method == method && takes(templates[i], segments) {
			return endpoints[i].Service, true
		}
	}
	return "", false
}

// segmentsOf returns the decoded segments of a path. plain is false if it can be read in several
// ways, and if it is longer than that of any Endpoint can be.
func segmentsOf(escapedPath string) (segments []string, plain bool) {
	rest, absolute := strings.CutPrefix(escapedPath, "/")
	segments = strings.SplitN(rest, "/", longestTemplate+3)
	plain = absolute
	for i, raw := range segments {
		segment, err := url.PathUnescape(raw)
		if err != nil || segment == "" || segment == "." || segment == ".." || strings.Contains(segment, `\`) {
			plain = false
		}
		segments[i] = segment
	}
	return segments, plain
}

// takes reports whether the segments are a path of the template.
func takes(template, segments []string) bool {
	if !fits(template, segments) {
		return false
	}
	_, err := valuesOf(template, segments)
	return err == nil
}

// wordsFit reports whether the service has a call of the method with the words of the path.
func wordsFit(service, method string, segments []string) bool {
	for i := range endpoints {
		if string(endpoints[i].Service) == service && endpoints[i].Method == method && fits(templates[i], segments) {
			return true
		}
	}
	return false
}

// methodsAt returns the methods that the service has at the path.
func methodsAt(service string, segments []string) []string {
	var methods []string
	for i := range endpoints {
		e := &endpoints[i]
		if string(e.Service) == service && !slices.Contains(methods, e.Method) && takes(templates[i], segments) {
			methods = append(methods, e.Method)
		}
	}
	return methods
}

// nearest returns the Endpoint of the service whose path has one segment more, one less or another
// one, and more than half of its words. Of several it is the one with the most words, then one with
// the method, then one as long. It is nil if there is none.
func nearest(service, method string, segments []string) *Endpoint {
	var best *Endpoint
	most := 0
	for i := range endpoints {
		e := &endpoints[i]
		if string(e.Service) != service {
			continue
		}
		shared := sharedWords(templates[i], segments)
		if 2*shared <= wordsOf(templates[i]) || shared <= generationsOf(templates[i]) {
			continue
		}
		points := 4 * shared
		if e.Method == method {
			points += 2
		}
		if len(templates[i]) == len(segments) {
			points++
		}
		if points > most {
			best, most = e, points
		}
	}
	return best
}

// sharedWords returns how many words of the template the segments have, 0 if more than one segment
// is missing, superfluous or another one.
func sharedWords(template, segments []string) int {
	at := 0
	for at < min(len(template), len(segments)) && fits(template[at:at+1], segments[at:at+1]) {
		at++
	}
	rest, left := template[at:], segments[at:]
	words := wordsOf(template)
	switch {
	case len(left) > 0 && fits(rest, left[1:]):
		return words
	case len(rest) > 0 && (fits(rest[1:], left) || len(left) > 0 && fits(rest[1:], left[1:])):
		return words - wordsOf(rest[:1])
	}
	return 0
}

// wordsOf returns how many segments of the template are words.
func wordsOf(template []string) int {
	words := 0
	for _, part := range template {
		if _, isPlace := place(part); !isPlace {
			words++
		}
	}
	return words
}

// generationsOf returns how many segments of the template only say which generation of calls it is
// of, such as v1 and stable. Calls that share nothing else are not near.
func generationsOf(template []string) int {
	generations := 0
	for _, part := range template {
		if part == "stable" || len(part) > 1 && part[0] == 'v' && '0' <= part[1] && part[1] <= '9' {
			generations++
		}
	}
	return generations
}

// nameOfMethod keeps methods that a caller made up out of a message.
func nameOfMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return method
	}
	return "this method"
}
