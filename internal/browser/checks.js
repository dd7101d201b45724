// Checks of a rendered page. Each returns sentences, one for each problem. They run in a world of
// their own, so the page does not see them and its policy does not hold for them.
(() => {
	const interactive = `a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link],
		[role=checkbox], [role=switch], [role=tab], [role=menuitem], [role=option], [tabindex]:not([tabindex="-1"])`;

	// The beginning of the source. A clone would apply the style attributes that the page's policy
	// forbids, also to the original.
	const source = (e) => {
		const tag = [e.localName, ...[...e.attributes].map((a) => `${a.name}="${a.value}"`)].join(" ");
		return `<${tag}>${e.textContent.slice(0, 1000).trim()}`.replace(/\s+/g, " ").slice(0, 160);
	};
	const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
	const all = (selector) => [...document.querySelectorAll(selector)];

	// Text for screen readers alone has a box of a pixel, or is cut away.
	const hiddenByShape = (e) => {
		for (; e; e = e.parentElement) {
			const box = e.getBoundingClientRect(), style = getComputedStyle(e);
			const cut = style.overflowX !== "visible" || style.clip !== "auto" || style.clipPath !== "none";
			if (cut && (box.width <= 1 || box.height <= 1 || /^inset\((50|100)%/.test(style.clipPath))) return true;
		}
		return false;
	};
	const outside = (box) => box.right + scrollX <= 0 || box.bottom + scrollY <= 0;

	const structure = () => {
		const count = new Map();
		for (const e of all("[id]")) count.set(e.id, (count.get(e.id) ?? 0) + 1);
		return [
			document.title.trim() ? "" : "The page has no title.",
			document.documentElement.lang ? "" : "The page has no language.",
			...[...count].map(([id, n]) => (n > 1 ? `${n} elements have the id ${id}.` : "")),
		].filter(Boolean);
	};

	// A link is inside a sentence if its line also has text that is no control.
	const insideSentence = (e) => {
		if (!e.matches("a[href], [role=link]") || getComputedStyle(e).display !== "inline") return false;
		let block = e.parentElement;
		while (block && getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
		const walk = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			const near = walk.currentNode.parentElement;
			if (/[\p{L}\p{N}]/u.test(walk.currentNode.data) && !near.closest(interactive) && shown(near)) return true;
		}
		return false;
	};

	const targets = (least) => {
		const before = document.activeElement, problems = [];
		for (const e of all(interactive)) {
			if (!shown(e) || e.matches(":disabled, [aria-disabled=true]") || insideSentence(e)) continue;
			// A link that skips to the content is seen only while it has the focus.
			if (hiddenByShape(e) || outside(e.getBoundingClientRect())) e.focus({ preventScroll: true });
			// A click on a label is a click on its field.
			const boxes = [e, ...(e.labels ?? [])].map((part) => {
				const rects = [...part.getClientRects()];
				return { w: Math.max(0, ...rects.map((r) => r.width)), h: Math.max(0, ...rects.map((r) => r.height)) };
			});
			if (!boxes.some((b) => b.w >= least - 0.01 && b.h >= least - 0.01)) {
				const { w, h } = boxes[0];
				problems.push(`A target has ${w.toFixed(1)} × ${h.toFixed(1)} pixels: ${source(e)}`);
			}
			if (document.activeElement !== before) {
				document.activeElement.blur();
				before?.focus({ preventScroll: true });
			}
		}
		return problems;
	};

	// Colors are [red, green, blue, alpha], with alpha up to 1. The canvas knows all notations.
	const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const known = new Map();
	const color = (text) => {
		if (!known.has(text)) {
			pen.clearRect(0, 0, 1, 1);
			pen.fillStyle = text;
			pen.fillRect(0, 0, 1, 1);
			const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
			const plain = text.match(/^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/);
			known.set(text, plain ? plain.slice(1).map(Number) : [r, g, b, a / 255]);
		}
		return known.get(text);
	};
	const mix = (under, over, alpha) => [0, 1, 2].map((i) => under[i] * (1 - alpha) + over[i] * alpha);
	const paint = (under, over) => mix(under, over, over[3]);
	const luminance = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => {
		const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
		return (x + 0.05) / (y + 0.05);
	};
	const canvasColor = () => {
		const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches;
		return dark ? [18, 18, 18] : [255, 255, 255];
	};

	// What a reader sees of text: its color and that behind it. layers are the styles of the elements
	// around it, the outermost first. A layer that is translucent mixes all that is in it with what is
	// behind it. The result is a string where styles can't tell.
	const seen = (layers, ink) => {
		let picture = "";
		const look = (i, under) => {
			if (i === layers.length) return [paint(under, ink), under];
			const style = layers[i], behind = color(style.backgroundColor);
			if (style.backgroundImage !== "none") picture = style.backgroundImage.slice(0, 60);
			else if (behind[3] === 1) picture = "";
			const [text, ground] = look(i + 1, paint(under, behind));
			const opacity = Number(style.opacity);
			return [mix(under, text, opacity), mix(under, ground, opacity)];
		};
		const result = look(0, canvasColor());
		const odd = layers.find((s) => s.filter !== "none" || s.mixBlendMode !== "normal");
		if (odd) return "a filter or a blend mode";
		return picture ? `the picture ${picture}` : result;
	};

	const contrast = (least) => {
		for (const a of document.getAnimations()) {
			try { a.finish(); } catch { a.cancel(); } // one without end
		}
		const problems = new Set();
		const judge = (e, text, ink, extra = []) => {
			const layers = [...extra.toReversed()];
			for (let p = e; p; p = p.parentElement) layers.push(getComputedStyle(p));
			const result = seen(layers.toReversed(), color(ink));
			const what = `${JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 40))} in ${source(e)}`;
			if (typeof result === "string") {
				problems.add(`Behind text is ${result}: ${what}`);
			} else if (ratio(...result) < least) {
				const [on, behind] = result.map((c) => `rgb(${c.map(Math.round)})`);
				problems.add(`Text has a contrast of ${ratio(...result).toFixed(2)}, ${on} on ${behind}: ${what}`);
			}
		};
		const off = (e) => e.closest(":disabled, [aria-disabled=true]") || !shown(e) || hiddenByShape(e);
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			const e = walk.currentNode.parentElement;
			if (!walk.currentNode.data.trim() || e.matches("script, style, noscript, template, option, title, desc, textarea") || off(e)) continue;
			const range = document.createRange();
			range.selectNodeContents(walk.currentNode);
			if (!range.getClientRects().length) continue;
			const style = getComputedStyle(e);
			judge(e, walk.currentNode.data, e instanceof SVGElement ? style.fill : style.color);
		}
		for (const e of all("input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=color], [type=image]), textarea, select")) {
			if (off(e)) continue;
			const style = getComputedStyle(e);
			if (e.placeholder) {
				const hint = getComputedStyle(e, "::placeholder");
				judge(e, e.placeholder, hint.color, [hint]);
			}
			judge(e, e.value || "what one types", style.color);
		}
		for (const e of document.body.querySelectorAll("*")) {
			for (const part of ["::before", "::after"]) {
				const style = getComputedStyle(e, part);
				const text = style.content.match(/^"(.*)"/s)?.[1] ?? "";
				if (/[\p{L}\p{N}]/u.test(text) && style.display !== "none" && !off(e)) judge(e, text, style.color, [style]);
			}
		}
		return [...problems];
	};

	const overflow = () => {
		const root = document.scrollingElement, width = document.documentElement.clientWidth, problems = [];
		if (root.scrollWidth > root.clientWidth) problems.push(`The page is ${root.scrollWidth} pixels wide in a window of ${root.clientWidth}.`);
		const focusable = (e) => e.tabIndex >= 0 || [...e.querySelectorAll(interactive)].some(shown);
		const reported = new Set();
		for (const e of document.body.querySelectorAll("*")) {
			if (reported.has(e.parentElement)) {
				reported.add(e);
				continue;
			}
			const box = e.getBoundingClientRect();
			if (!box.width || !box.height || box.right <= 0 || box.right <= width + 1 && box.left >= -1 || !shown(e) || hiddenByShape(e)) continue;
			let frame = e.parentElement;
			while (frame && frame !== document.body && getComputedStyle(frame).overflowX === "visible") frame = frame.parentElement;
			if (!frame || frame === document.body || frame === document.documentElement) {
				problems.push(`An element reaches from ${box.left.toFixed()} to ${box.right.toFixed()} in a window of ${width}: ${source(e)}`);
			} else if (/auto|scroll/.test(getComputedStyle(frame).overflowX) && !focusable(frame)) {
				problems.push(`A keyboard can't scroll to an element. Its frame is ${source(frame)}`);
				reported.add(frame);
			}
			reported.add(e);
		}
		return problems;
	};

	// How an element looks, with what is around it: a field may show its focus on its label.
	const look = (e) => [e, e.parentElement, e.nextElementSibling].filter(Boolean).map((part) => {
		const s = getComputedStyle(part);
		const outline = s.outlineStyle === "none" || s.outlineWidth === "0px" ? "" : [s.outlineStyle, s.outlineWidth, s.outlineColor].join();
		return [outline, s.boxShadow, s.borderColor, s.borderWidth, s.borderStyle, s.backgroundColor, s.textDecoration].join("|");
	}).join("\n");

	// The looks without the focus are kept in this world until the page is replaced.
	const focusBegins = () => {
		document.activeElement?.blur();
		const radios = new Set();
		globalThis.plain = new Map();
		for (const e of all(interactive)) {
			if (!shown(e) || e.disabled || e.getAttribute("tabindex")?.startsWith("-") || e.closest("[inert]")) continue;
			if (e.type === "radio") { // Tab goes to one of a group
				if (radios.has(e.name)) continue;
				radios.add(e.name);
			}
			globalThis.plain.set(e, look(e));
		}
		globalThis.visited = new Set();
		globalThis.last = null;
		globalThis.ends = 0;
		return globalThis.plain.size;
	};
	const focusMoves = () => {
		const e = document.activeElement;
		if (e && e === globalThis.last) return {}; // a date has several stops
		if (!e || e === document.body) { // the end of the page, where Tab begins again
			globalThis.last = null;
			return { Done: ++globalThis.ends > 1 };
		}
		if (globalThis.visited.has(e)) return { Done: true };
		globalThis.last = e;
		globalThis.visited.add(e);
		if (e.type === "radio") for (const other of globalThis.plain.keys()) if (other.name === e.name) globalThis.visited.add(other);
		const before = globalThis.plain.get(e);
		if (hiddenByShape(e) || outside(e.getBoundingClientRect())) return { Problem: `The focus is on something that can't be seen: ${source(e)}` };
		return { Problem: before === look(e) ? `The focus can't be seen: ${source(e)}` : "" };
	};
	const focusEnds = () => [...globalThis.plain.keys()].filter((e) => !globalThis.visited.has(e) && e.isConnected).map((e) => `Tab does not reach ${source(e)}`);

	return { source, structure, targets, contrast, overflow, focusBegins, focusMoves, focusEnds };
})()
