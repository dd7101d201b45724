package console

// ZippedSizes returns how many bytes each static file has over the wire to a browser that takes
// gzip, by its plain name.
func ZippedSizes() (map[string]int, error) {
	all, err := newAssets()
	sizes := map[string]int{}
	for plain, name := range all.names {
		a := all.byName[name]
		sizes[plain] = len(a.plain)
		if a.zipped != nil {
			sizes[plain] = len(a.zipped)
		}
	}
	return sizes, err
}

// ShowTraces works out what a page shows of an answer, and returns how many messages that are.
func ShowTraces(body []byte) int {
	messages, _, _ := shownTraces(body, nil)
	return len(messages)
}
