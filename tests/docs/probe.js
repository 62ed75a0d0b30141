/* What a page of the site looks like in this window, as JSON in its title: whether it scrolls sideways, its headings,
   text that does not stand out from what is behind it in either theme, and where the keyboard stops first. */
"use strict";
window.addEventListener("load", () => {
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
        const found = [], walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
            const style = getComputedStyle(element);
            if (!text || !element.getClientRects().length || element.closest(".headerlink, .copybtn, svg, script")) continue;
            const [more, less] = [luminance(numbers(style.color)), luminance(behind(element))].sort((x, y) => y - x);
            const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.6 && style.fontWeight >= 700;
            if ((more + 0.05) / (less + 0.05) < (large ? 3 : 4.5))
                found.push(`${theme}: ${text.slice(0, 30)} (${style.color} on ${behind(element)})`);
        }
        return found.slice(0, 5);
    };
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
        levels: [...document.querySelectorAll("article h1, article h2, article h3, article h4")].map(h => +h.tagName[1]),
        faint: [...faint("light"), ...faint("dark")],
        first: stops[0].textContent.trim(),
        seen: seen.length,
    });
});
