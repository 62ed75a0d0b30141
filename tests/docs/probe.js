/* What a page of the site, or a report, looks like in this window, as JSON in its title: whether it scrolls sideways,
   its headings, text that does not stand out from what is behind it in either theme, controls without a name, and where
   the keyboard stops first. A report has the theme that the browser asks for. */
"use strict";
window.addEventListener("load", () => {
    const report = document.getElementById("main"), area = report ? document.body : document.querySelector("article");
    const numbers = text => (text.match(/[\d.]+/g) || []).map(Number);
    const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = numbers(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = theme => {
        document.body.dataset.theme = theme;
        const found = [], walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
            const style = getComputedStyle(element);
            if (!text || !element.getClientRects().length || element.closest(".headerlink, .copybtn, svg, script, .skip")) continue;
            const [more, less] = [luminance(numbers(style.color)), luminance(behind(element))].sort((x, y) => y - x);
            const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.6 && style.fontWeight >= 700;
            if ((more + 0.05) / (less + 0.05) < (large ? 3 : 4.5))
                found.push(`${theme}: ${text.slice(0, 30)} (${style.color} on ${behind(element)})`);
        }
        return found.slice(0, 5);
    };
    const named = e => (e.textContent + (e.getAttribute("aria-label") || "") + (e.title || "") + (e.alt || "")).trim()
        || e.labels && [...e.labels].some(label => label.textContent.trim()) || e.closest("[aria-hidden=true]");
    const style = document.createElement("style");      /* colours that fade would be measured halfway */
    style.textContent = "* { transition: none !important; }";
    document.head.append(style);
    const stops = [...document.querySelectorAll("a[href], button, input, summary")]
        .filter(e => e.tabIndex >= 0 && e.getClientRects().length && !e.closest("[aria-hidden=true]"));
    const seen = stops.slice(0, 12).filter(element => {
        element.focus();
        const now = getComputedStyle(element);
        return now.outlineStyle !== "none" || now.boxShadow !== "none" || now.borderStyle !== "none";
    });
    document.title = JSON.stringify({
        overflow: document.scrollingElement.scrollWidth - window.innerWidth,
        width: window.innerWidth,
        levels: [...area.querySelectorAll("h1, h2, h3, h4")].map(h => +h.tagName[1]),
        faint: report ? faint("asked for") : [...faint("light"), ...faint("dark")],
        nameless: [...area.querySelectorAll("button, input, select, a[href], img")].filter(e => !named(e))
            .map(e => e.outerHTML.slice(0, 80)),
        first: stops[0].textContent.trim(),
        seen: seen.length,
    });
});
