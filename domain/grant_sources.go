package domain

import "strings"

// SourcesText returns who grants as one text. It is "" if only an admin does. The first line has the
// scopes that an admin granted. Each line after it has a group, its scopes and its environments, with
// tabs between them: no name of a group holds a control character (ParseGroup).
func (g Grant) SourcesText() string {
	if len(g.Groups) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(g.Manual.Text())
	for _, by := range g.Groups {
		b.WriteString("\n" + by.Group + "\t" + by.Scopes.Text() + "\t" + EnvironmentNamesText(by.Environments))
	}
	return b.String()
}

// WithSources returns the grant g, whose Scopes are known, with what SourcesText wrote. No source has
// a scope that is not in Scopes.
func (g Grant) WithSources(text string) Grant {
	if text == "" {
		g.Manual, g.Groups = g.Scopes, nil
		return g
	}
	manual, groups, _ := strings.Cut(text, "\n")
	g.Manual, g.Groups = ScopesFromText(manual)&g.Scopes, nil
	for line := range strings.SplitSeq(groups, "\n") {
		group, rest, _ := strings.Cut(line, "\t")
		scopes, environments, _ := strings.Cut(rest, "\t")
		g.Groups = append(g.Groups, GroupGrant{
			Group: group, Scopes: ScopesFromText(scopes) & g.Scopes, Environments: EnvironmentNamesFromText(environments),
		})
	}
	return g
}
