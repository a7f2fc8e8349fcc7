// nextflow run main.nf --labels labels.csv
params.labels = 'labels.csv'

process data {
    input:
    path labels

    output:
    path 'data.npz'

    script:
    """
    mmcli extract ${labels} -o features --audio mfcc --jobs ${task.cpus} > features.jsonl || [ \$? -eq 3 ]
    mmcli fuse features/manifest.jsonl -o data.npz
    """
}

process report {
    publishDir '.', mode: 'copy'

    input:
    path data

    output:
    path 'model.pt'
    path 'report.html'

    script:
    """
    mmcli train ${data} -o model.pt --seed 0
    mmcli evaluate model.pt ${data} -o report.json --html report.html
    """
}

workflow {
    report(data(file(params.labels)))
}
